"""Reports as CSV (RFC 4180), one row an operation, finding or part; where it comes from stands above, behind `#`.

Names that a caller chose could be read as formulas by a spreadsheet; such cells get an apostrophe in front.
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from apisnoop.coverage.comparison import ComparisonReport
from apisnoop.coverage.gaps import GapsReport
from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.report import Breakdown, CoverageReport, FindingClass, FindingUse, OperationUse
from apisnoop.coverage.share import Count
from apisnoop.reports.origin import origin_of_both
from apisnoop.reports.remarks import standing_of, summarize_diff, summarize_gaps
from apisnoop.reports.wording import clean, headline, iso

type Cell = str | int | None

FORMULA = ("=", "+", "-", "@", "\t", "\r")
OPERATION_HEADER = (
    "operation", "method", "path", "group", "version", "resource", "subresource", "level", "deprecated", "ineligible",
    "hit", "calls_ok", "calls_error", "first", "last", "class", "callers",
)  # fmt: skip


def render_coverage(report: CoverageReport) -> str:
    """Render a coverage report: a row for each part of the breakdown if there is one, else for each operation.

    Operations come first, those never called too; then a row for each finding that is no operation.
    """
    if report.by:
        return render_rows([report.provenance], [headline(report)], *_part_rows(report.by, report.count))
    rows = [_operation_row(use, report) for use in report.operations]
    rows += [_finding_row(finding) for finding in report.findings if not finding.operation]
    return render_rows([report.provenance], [headline(report)], OPERATION_HEADER, rows)


def _operation_row(use: OperationUse, report: CoverageReport) -> list[Cell]:
    operation, calls = use.operation, use.calls
    found = [finding for finding in report.findings if finding.operation == operation.id]
    hit = calls.ok if report.count is Count.OK else calls.total
    return [
        operation.id, operation.method, operation.path, operation.group, operation.version, operation.resource,
        operation.subresource, operation.level.value, int(operation.deprecated), use.ineligible, int(hit > 0),
        calls.ok, calls.errors, iso(calls.first), iso(calls.last),
        " ".join(finding.kind.value for finding in found),
        "; ".join(caller.who.label for caller in found[0].callers) if found else "",
    ]  # fmt: skip


def _finding_row(finding: FindingUse) -> list[Cell]:
    calls = finding.calls
    return [
        "", finding.method, finding.path, "", "", "", "", "", "", "", "", calls.ok, calls.errors, iso(calls.first),
        iso(calls.last), finding.kind.value, "; ".join(caller.who.label for caller in finding.callers),
    ]  # fmt: skip


def _part_rows(by: Breakdown, count: Count) -> tuple[Sequence[str], list[list[Cell]]]:
    header = (by.dimension.value, "hit", "total", "operations_ok", "operations_any", "calls_ok", "calls_error", "first",
              "last", *(kind.value for kind in FindingClass))  # fmt: skip
    rows: list[list[Cell]] = []
    for part in by.parts:
        share, calls, found = part.share, part.calls, dict(part.findings)
        rows.append([
            part.name, share.hit(count), share.total, share.ok, share.any, calls.ok, calls.errors, iso(calls.first),
            iso(calls.last), *(found.get(kind, 0) for kind in FindingClass),
        ])  # fmt: skip
    return header, rows


def render_gaps(report: GapsReport) -> str:
    """Render a ranking of gaps: a row for each, the first one first."""
    header = (
        "rank", "operation", "method", "path", "level", "deprecated", "ineligible", "callers", "calls_ok",
        "calls_error", "tests", "test", "used_by",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for rank, gap in enumerate(report.gaps, start=1):
        operation = gap.operation
        rows.append([
            rank, operation.id, operation.method, operation.path, operation.level.value, int(operation.deprecated),
            gap.ineligible, len(gap.callers), gap.calls.ok, gap.calls.errors,
            None if gap.tests is None else len(gap.tests), "; ".join(gap.tests or ()),
            "; ".join(who.label for who in gap.callers),
        ])  # fmt: skip
    return render_rows([report.provenance], summarize_gaps(report), header, rows)


def render_diff(report: ComparisonReport) -> str:
    """Render a comparison: a row for each change."""
    header = (
        "change", "method", "path", "operation", "calls_before", "calls_after", "what", "used_by",
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for name, changes in (
        ("no longer served", report.no_longer_served),
        ("newly deprecated", report.newly_deprecated),
        ("newly used", report.newly_used),
        ("no longer used", report.no_longer_used),
    ):
        for change in changes:
            standing = change.after or change.before
            rows.append([
                name, change.method, change.path, standing.operation if standing else "", change.calls_before.total,
                change.calls_after.total, standing_of(change), "; ".join(who.label for who in change.callers),
            ])  # fmt: skip
    return render_rows([report.before, report.after], summarize_diff(report), header, rows)


def render_rows(
    provenances: Sequence[Provenance], summary: Iterable[str], header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> str:
    """Render rows under a header, with the summary and where they come from above as lines that begin with `#`."""
    out = StringIO()
    empty = any(provenance.is_empty for provenance in provenances)
    said = ["EMPTY: no calls are recorded"] if empty else list(summary)
    for heading, side, lines in origin_of_both(provenances[0], provenances[-1]):
        said += [f"{f'{heading} {side}'.rstrip()}: {line}" for line in lines]
    out.writelines(f"# {clean(line)}\n" for line in said)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def _cell(value: Cell) -> str | int:
    if not isinstance(value, str):
        return "" if value is None else value
    text = clean(value)
    return f"'{text}" if text.startswith(FORMULA) else text
