"""A comparison of two recordings for a terminal."""

from collections.abc import Sequence

from apisnoop.coverage.comparison import Change, ComparisonReport
from apisnoop.coverage.provenance import Provenance
from apisnoop.reports.columns import Column, fitted, render_columns
from apisnoop.reports.paint import Paint
from apisnoop.reports.remarks import some_callers, standing_of, summarize_diff
from apisnoop.reports.table.blocks import join_blocks
from apisnoop.reports.table.origin import render_both_origins, render_cautions
from apisnoop.reports.wording import clean, counted, number

ROWS = 20
COLUMNS = (
    Column("", colour="bold"),
    Column("method"),
    Column("path", shrinks=True, least=36),
    Column("before", right=True),
    Column("after", right=True),
    Column("what", shrinks=True),
    Column("by", shrinks=True, colour="dim"),
)
"""BEFORE and AFTER are calls."""


def render_diff(report: ComparisonReport, width: int | None = None, color: bool = False, wide: bool = False) -> str:
    """Render a comparison as text, at most `width` columns wide where it can be; `wide` leaves no row out."""
    paint = Paint(color)
    width = None if wide else width
    first, *others = summarize_diff(report)
    return join_blocks(
        [
            [paint(first, "bold"), *others],
            _no_longer_served(report.no_longer_served, width, paint),
            *(
                _section(title, sign, changes, width, paint, wide=wide)
                for title, sign, changes in (
                    ("newly deprecated", "~", report.newly_deprecated),
                    ("newly used", "+", report.newly_used),
                    ("no longer used", "-", report.no_longer_used),
                )
                if changes
            ),
            _cautions("BEFORE", report.before, paint),
            _cautions("AFTER", report.after, paint),
            render_both_origins(report.before, report.after, paint, wide=wide),
        ]
    )


def _cautions(side: str, provenance: Provenance, paint: Paint) -> list[str]:
    mind = render_cautions(provenance, paint)
    return [paint(side, "dim"), *mind] if mind else []


def _no_longer_served(changes: Sequence[Change], width: int | None, paint: Paint) -> list[str]:
    """Show what an upgrade breaks with reason and callers in full, and every one of them: this is what to act on."""
    if not changes:
        return []
    lines = [f"no longer served: {number(len(changes))}"]
    for change in changes:
        calls = max(change.calls_before.total, change.calls_after.total)
        lines += [
            paint(fitted(f"!  {clean(change.method)} {clean(change.path)}  {counted(calls, 'call')}", width), "red"),
            fitted(f"     by {clean(some_callers(change.callers))}", width),
            fitted(f"     {clean(standing_of(change))}", width),
        ]
    return lines


def _section(
    title: str, sign: str, changes: Sequence[Change], width: int | None, paint: Paint, *, wide: bool
) -> list[str]:
    shown = changes if wide else changes[:ROWS]
    rows = [
        [
            sign,
            clean(change.method),
            clean(change.path),
            number(change.calls_before.total),
            number(change.calls_after.total),
            clean(standing_of(change)),
            clean(some_callers(change.callers, 1)),
        ]
        for change in shown
    ]
    left = len(changes) - len(shown)
    more = [paint(f"… {number(left)} more (-o wide)", "dim")] if left else []
    return [f"{title}: {number(len(changes))}", *render_columns(COLUMNS, rows, width, paint), *more]
