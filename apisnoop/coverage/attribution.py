"""Who made the calls: callers of findings, everybody's coverage, and the breakdown of `--by`.

Callers are rolled up into groups before the store is asked, so that SQLite adds their tallies up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.report import (
    Breakdown,
    CallerCalls,
    CallerUse,
    FindingClass,
    FindingUse,
    OperationUse,
    Part,
)
from apisnoop.coverage.resolution import Resolution
from apisnoop.coverage.seen import Seen, add_up
from apisnoop.coverage.share import Share
from apisnoop.coverage.who import Dimension, Who, name_in, who_of
from apisnoop.store import queries


@dataclass(slots=True)
class Deeds:
    """What one group of callers did, while it is being added up."""

    operations: dict[str, list[int]] = field(default_factory=dict)
    """Operation id to calls without and with an error."""
    calls: CallsSeen = NONE_SEEN
    findings: dict[FindingClass, int] = field(default_factory=dict)

    def share(self, counted: frozenset[str]) -> Share:
        """Give the share of these operations that the group hit."""
        hits = [calls for operation, calls in self.operations.items() if operation in counted]
        return Share(len(counted), sum(ok > 0 for ok, _ in hits), len(hits))

    def found(self) -> tuple[tuple[FindingClass, int], ...]:
        """Give the calls of each class, the most urgent class first."""
        return tuple((kind, self.findings[kind]) for kind in FindingClass if kind in self.findings)


def deeds_by[Name: str | Who](seen: Seen, name: Callable[[queries.CallerRow], Name]) -> dict[Name, Deeds]:
    """Add up everything that was called, by a name of the caller."""
    names, groups = _groups(seen, name)
    deeds: dict[Name, Deeds] = {}
    for row in queries.uses_by_group(seen.store.connection, groups, seen.window):
        found = deeds.setdefault(names[row.group], Deeds())
        found.calls += CallsSeen(row.ok, row.errors, row.first, row.last)
        if operation := seen.resolved[row.target].operation:
            calls = found.operations.setdefault(operation.id, [0, 0])
            calls[0] += row.ok
            calls[1] += row.errors
        for kind in seen.classes.get(row.target, ()):
            found.findings[kind] = found.findings.get(kind, 0) + row.ok + row.errors
    return deeds


def _groups[Name: str | Who](
    seen: Seen, name: Callable[[queries.CallerRow], Name]
) -> tuple[list[Name], dict[int, int]]:
    places: dict[Name, int] = {}
    groups = {row.id: places.setdefault(name(row), len(places)) for row in queries.callers(seen.store.connection)}
    return list(places), groups


def breakdown_by(dimension: Dimension, seen: Seen, counted: frozenset[str]) -> Breakdown:
    """Tell coverage of the counted operations apart by a property of the caller, the most operations first."""
    deeds = deeds_by(seen, lambda caller: name_in(dimension, caller))
    parts = (Part(name, done.share(counted), done.calls, done.found()) for name, done in deeds.items())
    return Breakdown(dimension, tuple(sorted(parts, key=lambda part: (-part.share.any, -part.calls.total, part.name))))


def everybody(seen: Seen, operations: Sequence[OperationUse], counted: frozenset[str]) -> tuple[CallerUse, ...]:
    """Give what each caller called, the most operations first."""
    places = {use.operation.id: place for place, use in enumerate(operations)}
    callers = (
        CallerUse(
            who,
            done.share(counted),
            done.calls,
            done.found(),
            tuple(sorted((places[operation], ok, errors) for operation, (ok, errors) in done.operations.items())),
        )
        for who, done in deeds_by(seen, who_of).items()
    )
    return tuple(sorted(callers, key=lambda caller: (-caller.share.any, -caller.calls.total, caller.who)))


def findings_of(seen: Seen) -> tuple[FindingUse, ...]:
    """Give every finding with who caused it: by class, then the most calls first."""
    names, groups = _groups(seen, who_of)
    places: dict[tuple[FindingClass, str, str], Resolution] = {}
    callers: dict[tuple[FindingClass, str, str], dict[Who, CallsSeen]] = {}
    for row in queries.uses_by_group(seen.store.connection, groups, seen.window, seen.classes):
        what = seen.resolved[row.target]
        for kind in seen.classes[row.target]:
            key = (kind, what.method, what.path)
            places.setdefault(key, what)
            by_who = callers.setdefault(key, {})
            who = names[row.group]
            by_who[who] = by_who.get(who, NONE_SEEN) + CallsSeen(row.ok, row.errors, row.first, row.last)
    found = (_finding(key[0], what, callers[key]) for key, what in places.items())
    order = list(FindingClass)
    return tuple(sorted(found, key=lambda f: (order.index(f.kind), -f.calls.total, f.path, f.method)))


def _finding(kind: FindingClass, what: Resolution, callers: dict[Who, CallsSeen]) -> FindingUse:
    who = (CallerCalls(who, calls) for who, calls in callers.items())
    return FindingUse(
        kind=kind,
        finding=what.finding.value if what.finding else "",
        operation=what.operation.id if what.operation else "",
        method=what.method,
        path=what.path,
        reason=what.reason,
        calls=add_up(callers.values()),
        callers=tuple(sorted(who, key=lambda caller: (-caller.calls.total, caller.who))),
    )
