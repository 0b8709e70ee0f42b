"""A coverage report for a terminal."""

from collections.abc import Sequence
from textwrap import wrap

from apisnoop.coverage.report import Breakdown, CoverageReport, Group
from apisnoop.coverage.share import Count, Share
from apisnoop.reports.columns import Column, render_columns
from apisnoop.reports.origin import empty_explained
from apisnoop.reports.paint import Paint, bar
from apisnoop.reports.table.blocks import join_blocks
from apisnoop.reports.table.called import render_called
from apisnoop.reports.table.findings import render_findings
from apisnoop.reports.table.next_steps import render_next
from apisnoop.reports.table.origin import render_cautions, render_origin
from apisnoop.reports.wording import (
    clean,
    counted,
    headline,
    moment,
    number,
    percent,
    total_explained,
)

ROWS = 8
"""Rows of each table unless everything is asked for."""
BAR = 20


def render_coverage(
    report: CoverageReport, width: int | None = None, color: bool = False, wide: bool = False, db: str | None = None
) -> str:
    """Render a coverage report as text, at most `width` columns wide where it can be; `wide` leaves no row out.

    `db` is the store that the proposed commands name, where it is not the report's own.
    """
    paint = Paint(color)
    if report.provenance.is_empty:
        said = [paint(empty_explained(report.provenance), "bold"), *render_cautions(report.provenance, paint)]
        parts = [said, render_origin(report.provenance, paint, wide=wide)]
        return join_blocks([*parts, render_next(report, db)])
    rows = None if wide else ROWS
    return join_blocks(
        [
            _summary(report, width, paint),
            _levels(report, width, paint, wide=wide),
            render_called(report, width, paint, wide=wide),
            _breakdown(report.by, report.count, rows, width, paint) if report.by else [],
            render_findings(report, width, paint, wide=wide),
            _groups("verb", report.verbs, report.count, None if wide else len(report.verbs), width, paint),
            _groups("group/version", report.groups, report.count, rows, width, paint),
            _groups("resource", report.resources, report.count, rows, width, paint),
            _details(report),
            render_origin(report.provenance, paint, wide=wide),
            render_next(report, db),
        ]
    )


def _summary(report: CoverageReport, width: int | None, paint: Paint) -> list[str]:
    seen = report.provenance
    calls = f"{counted(seen.calls, 'call')} from {moment(seen.first_seen)} to {moment(seen.last_seen)}"
    catalogue = seen.catalogue.source if not seen.catalogue.release else f"Kubernetes {seen.catalogue.release}"
    explained = wrap(total_explained(report), width or 120)
    return [
        paint(f"{clean(catalogue)}: {headline(report)}", "bold"),
        calls,
        *(paint(line, "dim") for line in explained),
        *render_cautions(seen, paint),
    ]


def _columns(name: str) -> list[Column]:
    return [
        Column(name, shrinks=True, least=16),
        Column("ok", right=True),
        Column("any", right=True),
        Column("total", right=True),
        Column("hit", right=True),
        Column("", colour="green"),
    ]


def _row(name: str, share: Share, count: Count) -> list[str]:
    hit = share.percent(count)
    return [name, number(share.ok), number(share.any), number(share.total), percent(hit), bar(hit, BAR)]


def _levels(report: CoverageReport, width: int | None, paint: Paint, *, wide: bool) -> list[str]:
    """Show all operations and each level; levels of which nothing was called are only named unless it is `wide`."""
    deprecated = Share(
        report.every.total - report.current.total,
        report.every.ok - report.current.ok,
        report.every.any - report.current.any,
    )
    levels = [(group.name, group.share) for group in report.levels]
    rows = [
        _row("all", report.current, report.count),
        *(_row(name, share, report.count) for name, share in levels if wide or share.any),
        *([[*_row("deprecated", deprecated, report.count)[:4], "-", "not part of all"]] * (wide or deprecated.any > 0)),
    ]
    silent = [
        f"{name} ({number(share.total)})" for name, share in [*levels, ("deprecated", deprecated)] if not share.any
    ]
    more = [paint(f"… not called: {', '.join(silent)}", "dim")] if silent and not wide else []
    return [*render_columns([*_columns("level")], rows, width, paint), *more]


def _groups(
    name: str, groups: Sequence[Group], count: Count, rows: int | None, width: int | None, paint: Paint
) -> list[str]:
    """Show all groups, or those called most; say how many there is no room for and how many were not called."""
    called = [group for group in groups if group.calls]
    shown = list(groups) if rows is None else sorted(called, key=lambda group: -group.calls)[:rows]
    lines = [[*_row(clean(group.name), group.share, count)[:-1], number(group.calls)] for group in shown]
    columns = [*_columns(name)[:-1], Column("calls", right=True)]
    left = []
    if len(called) > len(shown):
        left.append(f"{number(len(called) - len(shown))} more called")
    if rows is not None and len(groups) > len(called):
        left.append(f"{number(len(groups) - len(called))} not called")
    more = [paint(f"… {', '.join(left)} (-o wide)", "dim")] if left else []
    return [*render_columns(columns, lines, width, paint), *more]


def _details(report: CoverageReport) -> list[str]:
    if not report.details:
        return []
    said = (
        f"{clean(detail.name)} {number(detail.ok if report.count is Count.OK else detail.any)}"
        for detail in report.details
    )
    return [f"operations hit by way of: {', '.join(said)}"]


def _breakdown(by: Breakdown, count: Count, rows: int | None, width: int | None, paint: Paint) -> list[str]:
    shown = by.parts if rows is None else by.parts[:rows]
    lines = [
        [
            *_row(clean(part.name), part.share, count)[:3],
            percent(part.share.percent(count)),
            number(part.calls.total),
            number(part.calls.errors),
            ", ".join(f"{number(calls)} {kind}" for kind, calls in part.findings),
        ]
        for part in shown
    ]
    columns = [
        Column(by.dimension.value, shrinks=True, least=20),
        Column("ok", right=True),
        Column("any", right=True),
        Column("hit", right=True),
        Column("calls", right=True),
        Column("errors", right=True),
        Column("findings", shrinks=True, colour="yellow"),
    ]
    more = len(by.parts) - len(shown)
    return [
        *render_columns(columns, lines, width, paint),
        *([paint(f"… {number(more)} more (-o wide)", "dim")] if more else []),
    ]
