"""Reports for a terminal: a summary that is read in five seconds first, then details, then what to do next."""

from apisnoop.reports.table.coverage import render_coverage
from apisnoop.reports.table.diff import render_diff
from apisnoop.reports.table.gaps import render_gaps

__all__ = ["render_coverage", "render_diff", "render_gaps"]
