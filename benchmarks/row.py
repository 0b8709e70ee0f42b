"""One measured figure of a benchmark, with what it must reach."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    `value` is in `unit`, a median. `must` and `aim` are in the same unit, or ratios where there is a peer.
    """

    name: str
    value: float
    unit: str
    must: float
    aim: float | None
    """None: there is none beyond `must`."""
    at_least: bool = True
    """Whether more is better: `must` is a floor; else a ceiling."""
    peer: float | None = None
    """The peer's figure in the same run, in the same unit."""
    note: str = ""

    @property
    def judged(self) -> float:
        """The number that is held against `must`: the ratio to the peer, or the value."""
        return self.value if self.peer is None else self.value / self.peer

    @property
    def verdict(self) -> str:
        """One of: aim, must, short."""
        for name, bound in (("aim", self.aim), ("must", self.must)):
            if bound is None:
                continue
            if self.judged >= bound if self.at_least else self.judged <= bound:
                return name
        return "short"


def median_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Return the median wall-clock seconds of `runs` calls of `work`, after one call that is not counted."""
    work()
    return statistics.median(_seconds(work) for _ in range(runs))


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
