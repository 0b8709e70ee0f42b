"""The operations that were called, by name: of a short run, this is what a person wants to see."""

from collections.abc import Iterator

from apisnoop.coverage.report import CoverageReport, OperationUse
from apisnoop.operations.operation import Level
from apisnoop.reports.columns import Column, render_columns
from apisnoop.reports.paint import Paint
from apisnoop.reports.wording import clean, number

SHORT = 30
"""Operations that are all named; of more only those called most."""
MOST = 8
COLUMNS = (
    Column("operation called", shrinks=True, least=30),
    Column("by way of", shrinks=True, least=9),
    Column("calls", right=True),
    Column("errors", right=True),
    Column("", colour="yellow"),
)


def render_called(report: CoverageReport, width: int | None, paint: Paint, *, wide: bool) -> list[str]:
    """Render the operations called, in the order of their paths; of many those called most unless it is `wide`."""
    called = [use for use in report.operations if use.calls.total]
    if not called:
        return []
    shown = called
    if len(called) > SHORT and not wide:
        shown = sorted(called, key=lambda use: -use.calls.total)[:MOST]
    rows = [
        [
            clean(use.operation.id),
            ", ".join(ways(use)),
            number(use.calls.total),
            number(use.calls.errors),
            _remark(use, report),
        ]
        for use in shown
    ]
    left = len(called) - len(shown)
    more = [paint(f"… {number(left)} more called (-o wide)", "dim")] if left else []
    return [*render_columns(COLUMNS, rows, width, paint), *more]


def ways(use: OperationUse) -> Iterator[str]:
    """Name the verbs with their details, the most calls first; with how many calls each where there are several."""
    for action in sorted(use.actions, key=lambda action: -action.calls.total):
        name = f"{action.verb or 'no verb'} ({action.detail})" if action.detail else action.verb or "no verb"
        yield f"{number(action.calls.total)} {name}" if len(use.actions) > 1 else name


def _remark(use: OperationUse, report: CoverageReport) -> str:
    """Say why an operation is a finding, or in no total."""
    operation = use.operation
    remarks = [operation.level.value] if operation.level is not Level.STABLE else []
    if operation.deprecated:
        remarks.append("deprecated")
    if report.eligible and use.ineligible:
        remarks.append("not eligible")
    return ", ".join(remarks)
