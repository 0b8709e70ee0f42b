"""What the page's program works with: the report as tables of plain values, columns named once.

Counts and places are integers, times whole epoch seconds (null: unknown). Every string that a recording could have
brought in is cleaned of control characters; keeping it from being markup is the business of `embedding`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from apisnoop.coverage.calls_seen import CallsSeen
from apisnoop.coverage.ineligible import REASONS
from apisnoop.coverage.report import Action, CoverageReport, FindingClass, OperationUse
from apisnoop.coverage.shares import group_version, resource_name
from apisnoop.coverage.who import Who
from apisnoop.reports.wording import MEANING, clean

type Payload = dict[str, Any]
type Row = list[Any]

CALLS = ("ok", "errors", "first", "last")
OPERATIONS = (
    "id", "method", "path", "group", "resource", "level", "deprecated", "counted", "ineligible", "actions", *CALLS
)  # fmt: skip
CALLERS = ("label", "identity", "client", "hit", "findings", "uses", *CALLS)
FINDINGS = ("class", "operation", "method", "path", "reason", "callers", *CALLS)
PARTS = ("name", "hit", "findings", *CALLS)


def payload_of(report: CoverageReport) -> Payload:
    """Give the data of the page."""
    labels = _places(report)
    return {
        "count": report.count.value,
        "total": report.current.total,
        "callersKnown": report.callers is not None,
        "meaning": {kind.value: MEANING[kind] for kind in FindingClass},
        "operations": _table(OPERATIONS, (_operation(use, report) for use in report.operations)),
        "who": [clean(who.label) for who in labels],
        "callers": _table(CALLERS, _callers(report)),
        "findings": _table(FINDINGS, _findings(report, labels)),
        "by": _by(report),
    }


def _table(columns: Sequence[str], rows: Iterable[Row]) -> Payload:
    return {"columns": list(columns), "rows": list(rows)}


def _operation(use: OperationUse, report: CoverageReport) -> Row:
    operation = use.operation
    counted = not operation.deprecated and not (report.eligible and use.ineligible)
    return [
        clean(operation.id),
        clean(operation.method),
        clean(operation.path),
        clean(group_version(operation)),
        clean(resource_name(operation)),
        operation.level.value,
        operation.deprecated,
        counted,
        REASONS[use.ineligible] if use.ineligible else "",
        [_action(action) for action in use.actions],
        *_calls(use.calls),
    ]


def _action(action: Action) -> Row:
    name = f"{action.verb} ({action.detail})" if action.detail else action.verb
    return [clean(name), action.calls.ok, action.calls.errors]


def _callers(report: CoverageReport) -> Iterable[Row]:
    for caller in report.callers or ():
        uses = [figure for use in caller.uses for figure in use]
        yield [
            clean(caller.who.label),
            clean(caller.who.identity),
            clean(caller.who.client),
            caller.share.hit(report.count),
            _classes(caller.findings),
            uses,
            *_calls(caller.calls),
        ]


def _findings(report: CoverageReport, places: dict[Who, int]) -> Iterable[Row]:
    for finding in report.findings:
        callers = [(places[caller.who], caller.calls.ok, caller.calls.errors) for caller in finding.callers]
        yield [
            finding.kind.value,
            clean(finding.operation),
            clean(finding.method),
            clean(finding.path),
            clean(finding.reason),
            [figure for caller in callers for figure in caller],
            *_calls(finding.calls),
        ]


def _places(report: CoverageReport) -> dict[Who, int]:
    """Number everybody: those of `callers` first and in their order, then whoever only findings name."""
    places: dict[Who, int] = {}
    for caller in report.callers or ():
        places.setdefault(caller.who, len(places))
    for finding in report.findings:
        for found in finding.callers:
            places.setdefault(found.who, len(places))
    return places


def _by(report: CoverageReport) -> Payload | None:
    if report.by is None:
        return None
    rows: Iterable[Row] = (
        [clean(part.name), part.share.hit(report.count), _classes(part.findings), *_calls(part.calls)]
        for part in report.by.parts
    )
    return {"dimension": report.by.dimension.value, **_table(PARTS, rows)}


def _classes(findings: Iterable[tuple[FindingClass, int]]) -> list[tuple[str, int]]:
    return [(kind.value, calls) for kind, calls in findings]


def _calls(calls: CallsSeen) -> Row:
    return [calls.ok, calls.errors, _seconds(calls.first), _seconds(calls.last)]


def _seconds(time: float | None) -> int | None:
    return int(time) if time else None
