"""The findings of a coverage report for a terminal: what, how often and, above all, who."""

from collections.abc import Iterable
from itertools import groupby

from apisnoop.coverage.report import CallerCalls, CoverageReport, FindingClass, FindingUse
from apisnoop.reports.columns import fitted
from apisnoop.reports.paint import CLASS_COLOURS, Paint
from apisnoop.reports.wording import MEANING, clean, counted, number

EACH = 3
"""Findings of a class that are shown unless everything is asked for."""
CALLERS = 3


def render_findings(report: CoverageReport, width: int | None, paint: Paint, *, wide: bool) -> list[str]:
    """Render the findings by class; one line a finding, one line for its callers."""
    lines = [paint("FINDINGS", "dim")]
    for kind, found in groupby(report.findings, key=lambda finding: finding.kind):
        lines += _class(kind, tuple(found), width, paint, wide=wide)
    if len(lines) == 1:
        lines.append("none: no call to a removed, invalid, deprecated, alpha or beta operation")
    if report.not_api.total:
        lines.append(paint(f"{counted(report.not_api.total, 'call')} to health, metrics and OpenAPI documents", "dim"))
    return lines


def _class(
    kind: FindingClass, found: tuple[FindingUse, ...], width: int | None, paint: Paint, *, wide: bool
) -> list[str]:
    calls = sum(finding.calls.total for finding in found)
    size = f"{counted(calls, 'call')}, {counted(len(found), 'target')}"
    head = fitted(f"{kind.value}  {size}: {MEANING[kind]}", width)
    lines = [paint(kind.value, CLASS_COLOURS[kind]) + head.removeprefix(kind.value)]
    for finding in found if wide else found[:EACH]:
        said = f"  {clean(finding.method)} {clean(finding.path)}  {counted(finding.calls.total, 'call')}"
        who = f"    {_callers(finding.callers, wide=wide)}"
        why = f"    {clean(finding.reason)}"
        lines += [fitted(said, width), fitted(who, width), *([fitted(why, width)] if finding.reason else [])]
    if not wide and len(found) > EACH:
        lines.append(paint(f"  … {number(len(found) - EACH)} more (-o wide)", "dim"))
    return lines


def _callers(callers: Iterable[CallerCalls], *, wide: bool) -> str:
    who = [clean(caller.who.label) for caller in callers]
    shown = who if wide else who[:CALLERS]
    more = f" and {counted(len(who) - len(shown), 'other')}" if len(who) > len(shown) else ""
    return f"by {', '.join(shown)}{more}"
