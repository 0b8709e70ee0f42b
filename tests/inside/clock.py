"""How late a small program is: what a busy machine makes of any program of the node, ours among them.

It works now and then, for the kernel is quick to wake who only sleeps.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import msgspec

from tests.inside.processes import NodeProcess, wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from tests.inside.installation import Installation

LATE = 0.05
"""Seconds that 5 ms of work may be late. A proxy does as much for one connection, and at 0.25 s it is led past."""
NEAR = 2.0
"""Seconds about a moment that count: a proxy tells how late it was within the last second, four times a second."""
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
    """Runs on the node, with a container's share of its processor, from `__enter__` to `__exit__`."""

    def __init__(self, installation: Installation) -> None:
        self._process = NodeProcess(
            installation.node, [sys.executable, "-c", PROGRAM], {}, installation.cluster.log("clock")
        )
        self._process.log.unlink(missing_ok=True)
        self._looks: list[_Look] = []

    def __enter__(self) -> Self:
        self._process.start()
        wait_until(self._process.log.read_bytes, "the clock to tick")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end()
        self._looks = [_decoder.decode(line) for line in self._process.log.read_bytes().splitlines()]

    def was_late(self, moment: float) -> bool:
        """Tell whether it was late about a moment (seconds since the epoch), when it has ended."""
        return any(look.late > LATE and moment - NEAR <= look.at + look.late <= moment + NEAR for look in self._looks)

    def worst(self) -> float:
        """Return the seconds by which it was late at worst, when it has ended."""
        return max(look.late for look in self._looks)
