"""One listener while it is served: its connections, and whether they keep to its limits."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from apisnoop_addons.engine.driver import Driver
from apisnoop_addons.engine.limits import READ_AT_LEAST, READ_AT_ONCE, Rate, share
from apisnoop_addons.engine.listener import Listener

if TYPE_CHECKING:
    from apisnoop_addons.engine.acceptor import Acceptor

ENDS_AT_ONCE = 8
"""Connections whose end is heard before others get their turn: thousands may end at the same moment."""
LOOK_AGAIN = 4 * 2**20
"""Bytes after which it is looked anew at what is held: there is no more of it than has come since."""
TELL_AGAIN = 1.0
"""Seconds between two calls of `Listener.over_limit` for the same limit: who is over it once is so all the time."""


class Reception(Enum):
    """What becomes of a connection when it has been accepted."""

    READ = "read"
    PASSED_ON = "passed on untouched"
    CLOSED = "closed"


class Served:
    """Kept from `Proxy.listen` until the last connection has ended."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.acceptor: Acceptor
        self.stopped = False
        """No more are accepted."""
        self.cutting = False
        """Nor are those driven that have just been accepted."""
        self.drivers: set[Driver] = set()
        self._crowded = 0
        """How many of them are passed on for being more than the limits allow."""
        rate = listener.limits.handshakes_per_second
        self._rate = None if rate is None else Rate(rate)
        self._told: dict[str, float] = {}
        self._arrived = 0
        self._held: dict[Driver, int] = {}
        """Bytes at most, by what was found when it was looked last."""
        self._looked = 0.0
        self._at_once = READ_AT_ONCE
        self._bulk = 0
        """Bytes that have come in this turn of the loop in pieces worth sharing out."""
        self._heard = 0
        """Ends that have been heard in this turn."""
        self._unheard: deque[Callable[[], None]] = deque()

    def receive(self) -> Reception:
        """Decide about one more connection. If it is not within the limits, that has been told."""
        limit = self._exceeded()
        self.acceptor.crowded = bool(limit)
        if not limit:
            return Reception.READ
        self.over(limit)
        return Reception.PASSED_ON if self._crowded < self.listener.limits.passed_on else Reception.CLOSED

    def _exceeded(self) -> str:
        most = self.listener.limits.connections
        if most is not None and len(self.drivers) - self._crowded >= most:
            return "connections"
        if self._rate is not None and not self._rate.allow():
            return "handshakes_per_second"
        return ""

    def add(self, driver: Driver) -> None:
        """Count a connection."""
        self.drivers.add(driver)
        self._crowded += driver.client.crowded

    def discard(self, driver: Driver) -> None:
        """Count it no more."""
        if driver in self.drivers:
            self.drivers.remove(driver)
            self._held.pop(driver, None)
            self._crowded -= driver.client.crowded

    def over(self, limit: str) -> None:
        """Tell that a limit, named as in `Limits`, has been reached."""
        now = time.monotonic()
        if now - self._told.get(limit, -TELL_AGAIN) >= TELL_AGAIN:
            self._told[limit] = now
            self.listener.over_limit(self.listener, limit)

    def arrived(self, size: int) -> int:
        """Hear that so many bytes have come on a connection; return how many may come at once the next time."""
        self._arrived += size
        if self._arrived >= LOOK_AGAIN:
            self.check_buffers()
        if size >= READ_AT_LEAST:
            if not self._bulk:
                asyncio.get_running_loop().call_soon(self._share)
            self._bulk += size
        return self._at_once

    def _share(self) -> None:
        """Have others wait no longer for many connections than for one, now that all have had their turn."""
        self._at_once, self._bulk = share(self._at_once, self._bulk), 0

    def ended(self, hear: Callable[[], None]) -> None:
        """Have it heard that a peer has ended its side, at once or after others have had their turn."""
        if self._unheard or self._heard == ENDS_AT_ONCE:
            self._unheard.append(hear)
            return
        self._hear(hear)

    def _hear(self, hear: Callable[[], None]) -> None:
        if not self._heard:
            asyncio.get_running_loop().call_soon(self._go_on_hearing)
        self._heard += 1
        hear()

    def _go_on_hearing(self) -> None:
        self._heard = 0
        for _ in range(min(ENDS_AT_ONCE, len(self._unheard))):
            self._hear(self._unheard.popleft())

    def check_buffers(self) -> None:
        """Cut the connections that hold most, until what is held is within the limit."""
        self._arrived = 0
        most = self.listener.limits.buffered_bytes
        if most is None or self._estimate() <= most:
            return
        held = self._held = {driver: driver.buffered() for driver in self.drivers}
        total = sum(held.values())
        for driver in sorted(held, key=held.__getitem__, reverse=True):
            if total <= most:
                return
            total -= held[driver]
            driver.abort()
            self.over("buffered_bytes")

    def _estimate(self) -> int:
        """Count the bytes that are held at most, looking only at connections that may hold more than the last time."""
        looked, self._looked = self._looked, asyncio.get_running_loop().time()
        for driver in self.drivers:
            if driver.active >= looked:
                self._held[driver] = driver.buffered()
        return sum(self._held.values())

    def stop(self) -> None:
        """Accept no more than have connected already."""
        self.stopped = True
        self.acceptor.stop()

    def cut(self) -> None:
        """Cut all connections, and when no more are accepted also those that are on their way."""
        self.cutting = self.stopped
        for driver in list(self.drivers):
            driver.abort()

    @property
    def busy(self) -> bool:
        """True while there is a connection, or one on its way."""
        return bool(self.drivers) or self.acceptor.arriving

    @property
    def drained(self) -> bool:
        """True when no connection is left and none will come."""
        return self.stopped and not self.busy
