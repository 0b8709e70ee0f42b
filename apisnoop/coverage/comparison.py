"""Comparing two recordings: newly used, no longer used, newly deprecated, no longer served.

Each store is taken at its word: levels and deprecations are those of the catalogue it was recorded against. A catalogue
can be given to judge the later one by instead, e.g. that of the release one wants to upgrade to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import time

from apisnoop.calls.tally import OTHER
from apisnoop.coverage.attribution import groups_of
from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.provenance import CatalogueUsed, Provenance
from apisnoop.coverage.share import Count
from apisnoop.coverage.sources import origin_of
from apisnoop.coverage.who import Who, who_of
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop.store.target_row import OPERATION
from apisnoop.store.window import Window

type Key = tuple[str, str]
"""Method and path template."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a recording, or a catalogue, says of one method and path."""

    kind: str
    """`operation`, or the value of a Finding."""
    operation: str
    level: str
    deprecated: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One method and path before and after; None where that side never saw it."""

    method: str
    path: str
    before: Standing | None
    after: Standing | None
    calls_before: CallsSeen
    calls_after: CallsSeen
    callers: tuple[Who, ...]
    """Who called it, the most calls first: on the side that did, of both the later one unless it is gone there."""

    @property
    def is_only_refused(self) -> bool:
        """Whether it is still called, but no longer with success."""
        return self.calls_before.ok > 0 and self.calls_after.total > 0 and not self.calls_after.ok


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """What changed from one recording to the next."""

    before: Provenance
    after: Provenance
    count: Count
    used_before: int
    """Methods and paths used, whatever they are."""
    used_after: int
    newly_used: tuple[Change, ...]
    no_longer_used: tuple[Change, ...]
    newly_deprecated: tuple[Change, ...]
    """Used, and deprecated only according to the later side."""
    no_longer_served: tuple[Change, ...]
    """Used, and removed or unknown only according to the later side."""

    @property
    def differs(self) -> bool:
        """Whether anything changed."""
        return bool(self.newly_used or self.no_longer_used or self.newly_deprecated or self.no_longer_served)


@dataclass(slots=True)
class _Side:
    standing: dict[Key, Standing]
    calls: dict[Key, CallsSeen]
    callers: dict[Key, dict[Who, int]]
    provenance: Provenance

    def uses(self, key: Key, count: Count) -> bool:
        seen = self.calls.get(key, NONE_SEEN)
        return seen.ok > 0 if count is Count.OK else seen.total > 0


def compare(
    before: Store,
    after: Store,
    *,
    judge: Catalogue | None = None,
    window: Window | None = None,
    count: Count = Count.OK,
    now: float | None = None,
) -> ComparisonReport:
    """Tell what changed from one store to another.

    `judge` is a catalogue that decides what is deprecated or served in place of the later store's own. Raises
    ApisnoopError where either store holds no call: what was not recorded has not changed.
    """
    made = time() if now is None else now
    old, new = (_side(store, window, made) for store in (before, after))
    for side in (old, new):
        if side.provenance.is_empty:
            raise ApisnoopError(
                f"store {side.provenance.store} holds no calls to compare: record some, or widen --since and --until"
            )
    later = _judged(old, new, judge) if judge else new.standing
    if judge:
        new.provenance = origin_of(after, _used(judge), window, queries.uses(after.connection, window), made)
    used_before, used_after = ({key for key in side.calls if side.uses(key, count)} for side in (old, new))
    met = used_before | used_after if judge else used_before & set(new.standing)

    def changes(keys: set[Key], callers: _Side = new) -> tuple[Change, ...]:
        found = (_change(key, old, new, later, callers) for key in keys)
        return tuple(sorted(found, key=lambda change: (change.path, change.method)))

    return ComparisonReport(
        before=old.provenance,
        after=new.provenance,
        count=count,
        used_before=len(used_before),
        used_after=len(used_after),
        newly_used=changes(used_after - used_before),
        no_longer_used=changes(used_before - used_after, old),
        newly_deprecated=changes({key for key in met if _newly_deprecated(old.standing.get(key), later.get(key))}),
        no_longer_served=changes({key for key in met if _gone(old.standing.get(key), later.get(key))}),
    )


def _used(catalogue: Catalogue) -> CatalogueUsed:
    return CatalogueUsed(catalogue.release, catalogue.source, catalogue.digest)


def _newly_deprecated(before: Standing | None, after: Standing | None) -> bool:
    return bool(after and after.deprecated and not (before and before.deprecated))


def _gone(before: Standing | None, after: Standing | None) -> bool:
    was_served = before is not None and before.kind == OPERATION
    return was_served and after is not None and after.kind not in {OPERATION, Finding.NOT_API}


def _side(store: Store, window: Window | None, made: float) -> _Side:
    """Gather what a store saw of each method and path; health checks and the like are no part of the API."""
    connection = store.connection
    uses = queries.uses(connection, window)
    rows = {row.id: row for row in queries.targets(connection) if row.path != OTHER and row.kind != Finding.NOT_API}
    names, groups = groups_of(store, who_of)
    side = _Side({}, {}, {}, origin_of(store, None, window, uses, made))
    for use in queries.uses_by_group(connection, groups, rows, window):
        row = rows[use.target]
        key = row.method, row.path
        side.standing[key] = Standing(row.kind, row.operation, row.level, bool(row.deprecated), row.reason)
        side.calls[key] = side.calls.get(key, NONE_SEEN) + CallsSeen(use.ok, use.errors, use.first, use.last)
        callers, who = side.callers.setdefault(key, {}), names[use.group]
        callers[who] = callers.get(who, 0) + use.ok + use.errors
    return side


def _judged(old: _Side, new: _Side, judge: Catalogue) -> dict[Key, Standing]:
    """Give what a catalogue says of everything that either side called."""
    judged = {}
    for method, path in {*old.calls, *new.calls}:
        match = judge.match(method, path)
        if (operation := match.operation) is not None:
            found = Standing(OPERATION, operation.id, operation.level.value, operation.deprecated)
        else:
            found = Standing(match.finding.value if match.finding else "", "", "", False, match.reason)
        judged[method, path] = found
    return judged


def _change(key: Key, old: _Side, new: _Side, later: Mapping[Key, Standing], side: _Side) -> Change:
    callers = side.callers.get(key) or old.callers.get(key) or {}
    return Change(
        method=key[0],
        path=key[1],
        before=old.standing.get(key),
        after=later.get(key),
        calls_before=old.calls.get(key, NONE_SEEN),
        calls_after=new.calls.get(key, NONE_SEEN),
        callers=tuple(sorted(callers, key=lambda who: (-callers[who], who))),
    )
