"""When a pod's connection tracking is made to forget what has ended: as a way ends, and twice more soon after.

What went the old way may be reset a moment after it was closed, or after its listener was, which the proxy keeps for
1.5 s. To look takes ten milliseconds of the kernel's time, so that nobody does it as a habit.
"""

import time
from collections.abc import Callable, Collection

from apisnoop.node.messages import Address
from apisnoop_tproxy.ways import AnyPresence

AFTER = (0.0, 1.0, 2.0)
"""Seconds after a way's end at which it is looked."""


class Sweep:
    """Of one pod."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._due: tuple[float, ...] = ()

    def begin(self) -> None:
        """Look as soon as possible, and again: new connections go another way from now on."""
        now = self._clock()
        self._due = tuple(now + seconds for seconds in AFTER)

    @property
    def again(self) -> float | None:
        """Seconds until the next time; None if there is none."""
        return max(0.0, self._due[0] - self._clock()) if self._due else None

    async def carry_out(self, presence: AnyPresence | None, destinations: Collection[Address]) -> None:
        """Look, if it is time."""
        now = self._clock()
        left = tuple(moment for moment in self._due if moment > now)
        if left != self._due:
            self._due = left
            if presence is not None:
                await presence.forget_ended(destinations)
