"""Tallies: calls counted by what, who, how, with which answer and in which hour. All that is kept of a call.

A batch is the form in memory: sources count into it, batches are merged, the store folds one in. It touches no disk.
Merging is associative and commutative as long as no cap is reached; a full batch counts on, under coarser keys.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.durations import BUCKETS
from apisnoop.operations.match import Match, Target

OTHER = "(other)"
"""Stands in every capped dimension for all values beyond the cap; no Kubernetes name can contain a bracket."""
OTHER_CALLER = Caller(client=OTHER)
FULL = 200_000
"""Tallies a batch holds before new keys are counted under the "other" caller and namespace (some 100 MB)."""
NAMES_PER_TALLY = 64
"""Object names told apart in one tally. Nobody lists more in a role, so of more than these none is kept."""
LONGEST_NAMESPACE = 63
LONGEST_NAME = 253
LATEST = 253_402_300_799.0
"""The end of the year 9999; a call with a time outside of what tallies keep is counted at the epoch."""


class TallyKey(NamedTuple):
    """What makes a tally one of its own."""

    target: Target
    caller: Caller
    verb: str
    detail: str
    namespace: str
    status: int
    hour: int
    """Hours since the epoch, UTC."""


class Tally(msgspec.Struct, gc=False):
    """How often, when, how long. Times are seconds since the epoch."""

    count: int
    first: float
    last: float
    durations: list[int]
    """See `durations`; calls of unknown duration are in none of its buckets."""
    names: dict[str, int]
    """Object names with their counts: at most `NAMES_PER_TALLY`, or `OTHER` alone where there were more."""


class Loss(NamedTuple):
    """What was not counted, and why; `detail` tells losses of one reason apart where that helps."""

    source: str
    reason: str
    detail: str = ""


class LossCount(msgspec.Struct, frozen=True):
    """How much was lost and when (seconds since the epoch; zero where the source has no time)."""

    count: int
    first: float = 0.0
    last: float = 0.0
    example: str = ""

    def __add__(self, other: "LossCount") -> "LossCount":
        """Add two losses of one kind; the smaller example stays, so that the order of adding does not matter."""
        return LossCount(
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
            min(filter(None, (self.example, other.example)), default=""),
        )


type CellKey = tuple[Target, str, str, str, int, int]
type Cells = dict[CellKey, Tally]
"""The tallies of one caller by target, verb, detail, namespace, status and hour."""


class TallyBatch:
    """Tallies being counted. Not safe for several threads."""

    __slots__ = ("_by_caller", "full", "losses", "size")

    def __init__(self, full: int = FULL) -> None:
        self._by_caller: dict[Caller, Cells] = {}
        self.losses: dict[Loss, LossCount] = {}
        self.full = full
        self.size = 0
        """Number of tallies; a source hands the batch to the store long before it reaches `full`."""

    def __bool__(self) -> bool:
        return bool(self.size or self.losses)

    @property
    def calls(self) -> int:
        """Count all calls in the batch."""
        return sum(tally.count for cells in self._by_caller.values() for tally in cells.values())

    @property
    def span(self) -> tuple[float, float] | None:
        """Give when the first and the last call began (epoch seconds); None without a call whose time is known."""
        known = [tally for cells in self._by_caller.values() for tally in cells.values() if tally.first > 0]
        if not known:
            return None
        return min(tally.first for tally in known), max(tally.last for tally in known)

    def add(self, call: Call) -> None:
        """Count one call."""
        self.count(call.match, call.caller, call.status, call.started, call.duration)

    def count(self, match: Match, caller: Caller, status: int, started: float, duration: float | None) -> None:
        """Count one call that began at `started` (epoch seconds) and took `duration` seconds (None: not known)."""
        if not 0.0 <= started <= LATEST:
            started = 0.0
        self.count_cell(self.cells_of(caller), match, status, started, duration)

    def cells_of(self, caller: Caller) -> Cells:
        """Give the tallies of one caller, for `count_cell`: who meets a caller again saves looking it up."""
        cells = self._by_caller.get(caller)
        if cells is None:
            if len(self._by_caller) >= self.full:
                caller = OTHER_CALLER
            cells = self._by_caller.setdefault(caller, {})
        return cells

    def count_cell(self, cells: Cells, match: Match, status: int, started: float, duration: float | None) -> None:
        """Count one call of the caller whose cells these are; `started` must not lie after `LATEST`."""
        if started < 0.0:  # noqa: PLR1730 - runs once a line of a log, and max() takes three times as long
            started = 0.0
        key = (match.target, match.verb, match.detail, match.namespace, status, int(started) // 3600)
        tally = cells.get(key)
        if tally is None:
            tally = self._new_tally(cells, key, started)
        tally.count += 1
        if started > tally.last:
            tally.last = started
        elif started < tally.first:
            tally.first = started
        if duration is not None:
            microseconds = int(duration * 1_000_000)
            try:
                tally.durations[microseconds.bit_length() if microseconds > 0 else 0] += 1
            except IndexError:
                tally.durations[-1] += 1
        name = match.name
        if name:
            names = tally.names
            if name in names:
                names[name] += 1
            elif OTHER in names:
                names[OTHER] += 1
            else:
                _add_name(names, name, 1)

    def _new_tally(self, cells: Cells, key: CellKey, started: float) -> Tally:
        """Make the tally of a key that is not known yet, under a coarser key where the batch is full."""
        target, verb, detail, namespace, status, hour = key
        if len(namespace) > LONGEST_NAMESPACE or not 0 <= status <= 999:
            namespace = namespace if len(namespace) <= LONGEST_NAMESPACE else OTHER
            status = status if 0 <= status <= 999 else 0
            key = (target, verb, detail, namespace, status, hour)
        if key not in cells and self.size >= self.full:
            cells = self._by_caller.setdefault(OTHER_CALLER, {})
            key = (coarse_target(target), verb, detail, OTHER if namespace else "", status, hour)
        tally = cells.get(key)
        if tally is None:
            self.size += 1
            tally = cells[key] = Tally(0, started, started, [0] * BUCKETS, {})
        return tally

    def lose(self, loss: Loss, count: int = 1, at: float = 0.0, example: str = "") -> None:
        """Count something that could not be counted as a call, seen `at` (epoch seconds, zero: not known)."""
        self._lose(loss, LossCount(count, at, at, example))

    def _lose(self, loss: Loss, lost: LossCount) -> None:
        known = self.losses.get(loss)
        self.losses[loss] = lost if known is None else known + lost

    def tallies(self) -> Iterator[tuple[TallyKey, Tally]]:
        """Walk over all tallies with their keys."""
        for caller, cells in self._by_caller.items():
            for (target, verb, detail, namespace, status, hour), tally in cells.items():
                yield TallyKey(target, caller, verb, detail, namespace, status, hour), tally

    def merge(self, other: "TallyBatch") -> None:
        """Add everything that another batch holds."""
        for key, tally in other.tallies():
            cells = self.cells_of(key.caller)
            cell_key = (key.target, key.verb, key.detail, key.namespace, key.status, key.hour)
            own = cells.get(cell_key)
            _add_tally(own or self._new_tally(cells, cell_key, tally.first), tally)
        for loss, lost in other.losses.items():
            self._lose(loss, lost)


def coarse_target(target: Target) -> Target:
    """Give the target that stands for one beyond a cap: operations stay (callers cannot make them up), paths do not."""
    if target.operation is not None:
        return target
    return Target(
        operation=None,
        finding=target.finding,
        method=target.method,
        template=OTHER,
        group="",
        version="",
        resource="",
        subresource="",
    )


def _add_tally(own: Tally, other: Tally) -> None:
    own.count += other.count
    own.first = min(own.first, other.first)
    own.last = max(own.last, other.last)
    own.durations = [a + b for a, b in zip(own.durations, other.durations, strict=True)]
    for name, count in other.names.items():
        _add_name(own.names, name, count)


def _add_name(names: dict[str, int], name: str, count: int) -> None:
    if name in names:
        names[name] += count
    elif OTHER not in names and name != OTHER and len(names) < NAMES_PER_TALLY and len(name) <= LONGEST_NAME:
        names[name] = count
    else:
        total = sum(names.values()) + count
        names.clear()
        names[OTHER] = total
