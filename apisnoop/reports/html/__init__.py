"""The HTML report: one self-contained page. Built by the owner "html" (see the seams); not by the owner "reports"."""
