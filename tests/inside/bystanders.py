"""A recorded pod, and one beside it that is left alone, which ask the same while others do as they like.

Both need the API server and the machine, which suffer by themselves: how much, the second pod shows.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.inside.pods import Answer, Pod


class Growth(NamedTuple):
    """Of the 99th percentile of how long answers take, in seconds."""

    before: float
    after: float

    @property
    def factor(self) -> float:
        """Return by which factor it has grown, 1 if it has not."""
        return max(1.0, self.after / self.before)

    def __str__(self) -> str:
        return f"{self.before * 1000:.1f} -> {self.after * 1000:.1f} ms"


class Comparison(NamedTuple):
    """How much longer answers took, by one kind of connection."""

    kind: str
    ours: Growth
    theirs: Growth

    @property
    def at_most_doubled(self) -> bool:
        """Whether ours have, beside what makes theirs take longer, which is not of our making."""
        return self.ours.after <= 2 * self.ours.before * self.theirs.factor

    def __str__(self) -> str:
        return f"{self.kind}: p99 {self.ours}; of a pod that is left alone {self.theirs}"


class Bystanders:
    """Both pods, asking."""

    def __init__(self, recorded: Pod, untouched: Pod, rates: Mapping[str, float], longest: float) -> None:
        """`rates`: requests a second, by kind of connection. They end by themselves after `longest` seconds."""
        self._pods = (recorded, untouched)
        self._polling = {kind: [pod.poll(kind, rate, longest) for pod in self._pods] for kind, rate in rates.items()}

    def compare(self, began: float, ended: float) -> list[Comparison]:
        """Have them end, and compare what was answered before a moment with what was asked from then to another."""
        for pod in self._pods:
            pod.run("killall", "clients")
        found = []
        for kind, running in self._polling.items():
            ours, theirs = (one.answers() for one in running)
            assert [answer for answer in ours if not answer.direct] == []
            found.append(Comparison(kind, _growth(ours, began, ended), _growth(theirs, began, ended)))
        return found


def _growth(answers: Sequence[Answer], began: float, ended: float) -> Growth:
    before = [answer for answer in answers if answer.at + answer.seconds < began]
    during = [answer for answer in answers if began <= answer.at < ended]
    return Growth(percentile(before), percentile(during))


def percentile(answers: Sequence[Answer]) -> float:
    """Return how long all but one in a hundred took at most."""
    return statistics.quantiles([answer.seconds for answer in answers], n=100)[98]
