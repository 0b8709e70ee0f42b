"""When a pod has settled: it has been recorded, and its containers have run, for some time, in which they, or a mesh,
have made their rules."""

import time
from collections.abc import Callable

SETTLING_SECONDS = 10.0


class Settling:
    """Of one pod."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._since: float | None = None

    def see(self, *, running: bool) -> bool:
        """Take whether its containers run and it is recorded; return whether it has settled."""
        if not running:
            self._since = None
        elif self._since is None:
            self._since = self._clock()
        return self.again == 0.0

    @property
    def again(self) -> float | None:
        """Seconds until it will have; 0 if it has, None if nobody knows."""
        if self._since is None:
            return None
        return max(0.0, self._since + SETTLING_SECONDS - self._clock())
