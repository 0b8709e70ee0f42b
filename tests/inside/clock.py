"""How late a small program is: what a busy machine makes of any program of the node, ours among them.

It works now and then, for the kernel is quick to wake who only sleeps.
"""

from __future__ import annotations

import sys
from math import inf
from typing import TYPE_CHECKING, Self

import msgspec

from apisnoop_addons.node.pods import STOOD_STILL
from tests.inside.processes import NodeProcess, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from apisnoop.calls.recording import Gap
    from tests.inside.installation import Installation

LATE = 0.1
"""Seconds by which 5 ms of work are late where a proxy, which has a few pieces of work to do at a time, comes to 0.25 s
and is led past."""
BEFORE, AFTER = 1.5, 0.5
"""Seconds about the start of a gap that count: a proxy tells how late it was within the last second, four times a
second; one that stood still notes since when."""
PROGRAM = """
import json, time
while True:
    began, worked = time.time(), time.process_time()
    time.sleep(0.05)
    while time.process_time() < worked + 0.005:
        pass
    took = time.process_time() - worked
    print(json.dumps({"at": began, "late": time.time() - began - 0.05 - took}), flush=True)
"""


class _Look(msgspec.Struct, frozen=True):
    at: float
    late: float


_decoder = msgspec.json.Decoder(_Look)


class Clock:
    """Runs on the node, with a container's share of its processor, from `__enter__` to `__exit__`; tells then.

    It begins when the node has done with the pods of earlier tests.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._process = NodeProcess(
            installation.node, [sys.executable, "-c", PROGRAM], {}, installation.cluster.log("clock")
        )
        self._process.log.unlink(missing_ok=True)
        self._looks: list[_Look] = []

    def __enter__(self) -> Self:
        self._installation.cluster.until_deleted_pods_have_gone()
        self._process.start()
        wait_until(self._process.log.read_bytes, "the clock to tick")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end()
        self._looks = [_decoder.decode(line) for line in self._process.log.read_bytes().splitlines()]

    def unexplained(self, gaps: Iterable[Gap]) -> list[Gap]:
        """Return those gaps about whose start no small program was late, or that have another reason."""
        return [gap for gap in gaps if not is_overload(gap) or self.about(gap) < LATE]

    def about(self, gap: Gap) -> float:
        """Return the seconds by which it was late at worst when a gap began."""
        return self.worst(gap.start - BEFORE, gap.start + AFTER)

    def worst(self, begin: float = 0.0, end: float = inf) -> float:
        """Return the seconds by which it was late at worst between two moments, in seconds since the epoch."""
        return max((look.late for look in self._looks if begin <= look.at + look.late and look.at <= end), default=0.0)


def is_overload(gap: Gap) -> bool:
    """Tell whether the agent led connections past the proxy because that was late."""
    return any(words in gap.reason for words in ("overloaded", "said nothing", STOOD_STILL))
