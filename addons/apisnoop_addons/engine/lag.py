"""How late an event loop is: what every connection on it has to wait."""

import asyncio
from collections import deque

INTERVAL = 0.05
"""Seconds between looks."""
WINDOW = 1.0
"""Seconds that a look counts."""


class LagMeter:
    """Looks at the running loop's clock again and again. Use: `start()`, `worst()` at any time, `stop()`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._looks: deque[tuple[float, float]] = deque()
        """(when, lag), with falling lags: what a later look exceeds cannot be the worst any more."""
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin."""
        self._due = self._loop.time() + INTERVAL
        self._timer = self._loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()

    def worst(self) -> float:
        """Return the seconds by which the loop was late at worst within the last second, the present included."""
        now = self._loop.time()
        self._forget(now)
        overdue = max(0.0, now - self._due) if self._timer is not None else 0.0
        return max(overdue, self._looks[0][1] if self._looks else 0.0)

    def _look(self) -> None:
        now = self._loop.time()
        lag = max(0.0, now - self._due)
        while self._looks and self._looks[-1][1] <= lag:
            self._looks.pop()
        self._looks.append((now, lag))
        self._forget(now)
        self.start()

    def _forget(self, now: float) -> None:
        while self._looks and self._looks[0][0] < now - WINDOW:
            self._looks.popleft()
