"""The HTML report: one page in one file that needs no network, for people who click, filter, print and pass it on.

What stands in the page without JavaScript (summary, origin) is made here in Python; chart and tables are made in the
browser from data inside the page, by the files in `assets`. The chart library is in `vendor`.
"""

from apisnoop.reports.html.page import render_coverage_html

__all__ = ["render_coverage_html"]
