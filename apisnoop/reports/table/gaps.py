"""The ranking of gaps for a terminal."""

from apisnoop.coverage.gaps import GapsReport
from apisnoop.reports.columns import Column, render_columns
from apisnoop.reports.origin import empty_explained
from apisnoop.reports.paint import Paint
from apisnoop.reports.remarks import remark_on, some_callers, summarize_gaps, tests_of
from apisnoop.reports.table.blocks import join_blocks
from apisnoop.reports.table.origin import render_cautions, render_origin
from apisnoop.reports.wording import clean, number

ROWS = 20
COLUMNS = (
    Column("rank", right=True),
    Column("operation", shrinks=True, least=44),
    Column("callers", right=True),
    Column("calls", right=True),
    Column("tests", shrinks=True, colour="yellow"),
    Column("used by", shrinks=True),
    Column("remark", shrinks=True, colour="dim"),
)


def render_gaps(report: GapsReport, width: int | None = None, color: bool = False, wide: bool = False) -> str:
    """Render a ranking as text, at most `width` columns wide where it can be; `wide` leaves no row out."""
    paint = Paint(color)
    origin, mind = render_origin(report.provenance, paint, wide=wide), render_cautions(report.provenance, paint)
    if report.provenance.is_empty:
        return join_blocks([[paint(empty_explained(report.provenance), "bold"), *mind], origin])
    shown = report.gaps if wide else report.gaps[:ROWS]
    rows = [
        [
            number(rank),
            f"{gap.operation.id}",
            number(len(gap.callers)),
            number(gap.calls.total),
            clean(tests_of(gap)),
            clean(some_callers(gap.callers, 1)),
            remark_on(gap),
        ]
        for rank, gap in enumerate(shown, start=1)
    ]
    left = len(report.gaps) - len(shown)
    table = render_columns(COLUMNS, rows, None if wide else width, paint) if rows else []
    more = [paint(f"… {number(left)} more (-o wide)", "dim")] if left else []
    first, *others = summarize_gaps(report)
    return join_blocks([[paint(first, "bold"), *others, *mind], [*table, *more], origin])
