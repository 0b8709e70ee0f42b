"""Who made the calls: callers of findings, everybody's coverage, and the breakdown of `--by`.

Callers are rolled up into groups before the store is asked, so that SQLite adds their tallies up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apisnoop.coverage.calls_seen import CallsSeen
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
from apisnoop.coverage.who import NAMES, Dimension, Who, name_in, who_of
from apisnoop.store import queries
from apisnoop.store.store import Store


@dataclass(slots=True)
class Deeds:
    """What one group of callers did, while it is being added up."""

    operations: dict[str, list[int]] = field(default_factory=dict)
    """Operation id to calls without and with an error."""
    ok: int = 0
    errors: int = 0
    first: float | None = None
    last: float | None = None
    findings: dict[FindingClass, int] = field(default_factory=dict)

    @property
    def calls(self) -> CallsSeen:
        """All calls of the group."""
        return CallsSeen(self.ok, self.errors, self.first, self.last)

    def add(self, row: queries.GroupUseRow, operation: str, kinds: Iterable[FindingClass]) -> None:
        """Add what the group did to one target; `operation` is empty where the target is none."""
        self.ok += row.ok
        self.errors += row.errors
        self.first = row.first if self.first is None else min(self.first, row.first)
        self.last = row.last if self.last is None else max(self.last, row.last)
        if operation:
            calls = self.operations.setdefault(operation, [0, 0])
            calls[0] += row.ok
            calls[1] += row.errors
        for kind in kinds:
            self.findings[kind] = self.findings.get(kind, 0) + row.ok + row.errors

    def share(self, counted: frozenset[str]) -> Share:
        """Give the share of these operations that the group hit."""
        hits = [calls for operation, calls in self.operations.items() if operation in counted]
        return Share(len(counted), sum(ok > 0 for ok, _ in hits), len(hits))

    def found(self) -> tuple[tuple[FindingClass, int], ...]:
        """Give the calls of each class, the most urgent class first."""
        return tuple((kind, self.findings[kind]) for kind in FindingClass if kind in self.findings)


def deeds_by[Name: str | Who](seen: Seen, name: Callable[[queries.CallerRow], Name]) -> dict[Name, Deeds]:
    """Add up everything that was called, by a name of the caller."""
    names, groups = groups_of(seen.store, name)
    ids = {target: what.operation.id if what.operation else "" for target, what in seen.resolved.items()}
    deeds: dict[int, Deeds] = {}
    for row in queries.uses_by_group(seen.store.connection, groups, seen.resolved, seen.window):
        done = deeds.get(row.group)
        if done is None:
            done = deeds[row.group] = Deeds()
        done.add(row, ids[row.target], seen.classes.get(row.target, ()))
    return {names[group]: done for group, done in deeds.items()}


def groups_of[Name: str | Who](
    store: Store, name: Callable[[queries.CallerRow], Name]
) -> tuple[list[Name], dict[int, int]]:
    """Group the callers of a store by a name: the names, and the place among them of each caller's."""
    places: dict[Name, int] = {}
    groups = {row.id: places.setdefault(name(row), len(places)) for row in queries.callers(store.connection)}
    return list(places), groups


def known_dimensions(store: Store) -> tuple[Dimension, ...]:
    """Give the properties that at least one caller of a store is known by."""
    callers = queries.callers(store.connection)
    return tuple(dimension for dimension in Dimension if any(NAMES[dimension](caller) for caller in callers))


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
    names, groups = groups_of(seen.store, who_of)
    found: dict[tuple[FindingClass, str, str], _Found] = {}
    by_target: dict[int, list[_Found]] = {}
    for target, kinds in seen.classes.items():
        what = seen.resolved[target]
        by_target[target] = [found.setdefault((kind, what.method, what.path), _Found(kind, what)) for kind in kinds]
    for row in queries.uses_by_group(seen.store.connection, groups, seen.classes, seen.window):
        calls = CallsSeen(row.ok, row.errors, row.first, row.last)
        for finding in by_target[row.target]:
            known = finding.callers.get(row.group)
            finding.callers[row.group] = calls if known is None else known + calls
    # Ranks spare comparing names field by field, thousands of times.
    rank = {group: place for place, group in enumerate(sorted(range(len(names)), key=names.__getitem__))}
    order = {kind: place for place, kind in enumerate(FindingClass)}
    uses = [finding.use(names, rank) for finding in found.values()]
    return tuple(sorted(uses, key=lambda use: (order[use.kind], -use.calls.total, use.path, use.method)))


@dataclass(slots=True)
class _Found:
    """A finding, while its callers are being added up."""

    kind: FindingClass
    what: Resolution
    callers: dict[int, CallsSeen] = field(default_factory=dict)
    """By group."""

    def use(self, names: Sequence[Who], rank: Mapping[int, int]) -> FindingUse:
        """Give the finding with its callers, the most calls first."""
        what, operation = self.what, self.what.operation
        callers = sorted(self.callers.items(), key=lambda item: (-item[1].ok - item[1].errors, rank[item[0]]))
        return FindingUse(
            kind=self.kind,
            finding=what.finding.value if what.finding else "",
            operation=operation.id if operation else "",
            method=what.method,
            path=what.path,
            reason=what.reason,
            calls=add_up(self.callers.values()),
            callers=tuple(CallerCalls(names[group], calls) for group, calls in callers),
        )
