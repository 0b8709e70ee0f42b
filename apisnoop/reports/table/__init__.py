"""Reports for a terminal: a summary that is read in five seconds first, then details, then what to do next.

One module a report. Those of gaps and comparisons are imported from where they are: a verb loads its own only.
"""

from apisnoop.reports.table.coverage import render_coverage

__all__ = ["render_coverage"]
