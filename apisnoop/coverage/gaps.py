"""Gaps: operations used in the field that no test calls, or only one, those used by most callers first.

What is tested comes from a file of tested endpoints, from the calls of test suites in the store itself (their user
agent names the test), or both. Where neither says anything, that is told, and no operation is called untested.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import time

from apisnoop.coverage.attribution import Deeds, deeds_by
from apisnoop.coverage.calls_seen import CallsSeen
from apisnoop.coverage.ineligible import ineligible
from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.seen import Seen, look_at
from apisnoop.coverage.share import Count
from apisnoop.coverage.sources import provenance_of
from apisnoop.coverage.tested import EndpointTests
from apisnoop.coverage.who import Who, who_of
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.operation import Operation
from apisnoop.store.store import Store
from apisnoop.store.window import Window

IN_STORE = "tests seen in the store"
ENOUGH = 2
"""An operation that this many tests call rests on more than a single one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An operation used in the field with fewer than ENOUGH tests."""

    operation: Operation
    callers: tuple[Who, ...]
    """Everybody who used it, tests apart, the most calls first."""
    calls: CallsSeen
    """Calls in the field."""
    tests: tuple[str, ...] | None
    """The tests that call it (none or one); None where nothing says what is tested."""
    ineligible: str
    """Why conformance leaves it out: a reason code, or an empty string."""


@dataclass(frozen=True, slots=True)
class GapsReport:
    """The gaps, ranked, and what they were measured with."""

    provenance: Provenance
    count: Count
    eligible: bool
    tested: tuple[str, ...]
    """What says which operations are tested; empty where nothing does."""
    used: int
    """Operations used in the field."""
    gaps: tuple[Gap, ...]


def gaps_of(
    store: Store,
    catalogue: Catalogue,
    tested: EndpointTests | None = None,
    *,
    window: Window | None = None,
    eligible: bool = False,
    count: Count = Count.OK,
    now: float | None = None,
) -> GapsReport:
    """Rank the operations used in the field that are untested or rest on a single test.

    A call whose user agent names a test is a test's, all others are the field's. `eligible` leaves out operations
    outside conformance; `now` (epoch seconds) is what the report says it was made at.
    """
    seen = look_at(store, catalogue, window)
    deeds = deeds_by(seen, lambda caller: caller.test or who_of(caller))
    layers = [layer for layer in (tested, _tests_in(deeds)) if layer]
    left_out = ineligible()
    used = [
        gap for gap in _used(seen, deeds, count, _joined(layers)) if not (eligible and gap.operation.id in left_out)
    ]
    found = [gap for gap in used if gap.tests is None or len(gap.tests) < ENOUGH]
    return GapsReport(
        provenance_of(seen, time() if now is None else now),
        count,
        eligible,
        tuple(layer.source for layer in layers),
        len(used),
        tuple(sorted(found, key=_rank)),
    )


def _rank(gap: Gap) -> tuple[int, int, int, str]:
    return -len(gap.callers), len(gap.tests or ()), -gap.calls.total, gap.operation.id


def _tests_in(deeds: Mapping[str | Who, Deeds]) -> EndpointTests | None:
    """Give what the tests in the store called without an error, None where there are none."""
    tests: dict[str, set[str]] = {}
    for name, done in deeds.items():
        if isinstance(name, str):
            for operation, (ok, _) in done.operations.items():
                if ok:
                    tests.setdefault(operation, set()).add(name)
    return (
        EndpointTests(IN_STORE, {operation: frozenset(names) for operation, names in tests.items()}) if tests else None
    )


def _joined(layers: list[EndpointTests]) -> Mapping[str, frozenset[str]] | None:
    if not layers:
        return None
    tests: dict[str, frozenset[str]] = {}
    for layer in layers:
        for operation, names in layer.tests.items():
            tests[operation] = tests.get(operation, frozenset()) | names
    return tests


def _used(
    seen: Seen, deeds: Mapping[str | Who, Deeds], count: Count, tests: Mapping[str, frozenset[str]] | None
) -> list[Gap]:
    callers: dict[str, dict[Who, list[int]]] = {}
    for who, done in deeds.items():
        if isinstance(who, Who):
            for operation, calls in done.operations.items():
                if calls[0] or count is Count.ANY:
                    callers.setdefault(operation, {})[who] = calls
    left_out = ineligible()
    return [
        Gap(
            seen.catalogue.operations[operation],
            _by_calls(by_who),
            CallsSeen(sum(ok for ok, _ in by_who.values()), sum(errors for _, errors in by_who.values())),
            None if tests is None else tuple(sorted(tests.get(operation, ()))),
            left_out.get(operation, ""),
        )
        for operation, by_who in callers.items()
    ]


def _by_calls(callers: Mapping[Who, list[int]]) -> tuple[Who, ...]:
    return tuple(sorted(callers, key=lambda who: (-sum(callers[who]), who)))
