"""Reports as JSON, in the shape of the schemas in `schema/`."""

from collections.abc import Iterable

import msgspec

from apisnoop.coverage.comparison import ComparisonReport
from apisnoop.coverage.gaps import GapsReport
from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.report import CoverageReport
from apisnoop.reports.document import Document, coverage_document, diff_document, gaps_document


def render_coverage(report: CoverageReport, verdicts: Iterable[Verdict] = ()) -> str:
    """Render a coverage report as JSON of schema coverage-v1."""
    return _render(coverage_document(report, verdicts))


def render_gaps(report: GapsReport) -> str:
    """Render a ranking of gaps as JSON of schema gaps-v1."""
    return _render(gaps_document(report))


def render_diff(report: ComparisonReport) -> str:
    """Render a comparison as JSON of schema diff-v1."""
    return _render(diff_document(report))


def _render(document: Document) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
