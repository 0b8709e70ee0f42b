"""Reports for a terminal: a summary that is read in five seconds first, then details, then what to do next."""

from apisnoop.reports.table.coverage import render_coverage

__all__ = ["render_coverage"]
