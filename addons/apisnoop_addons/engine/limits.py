"""How much one listener's clients may take, so that they cannot take it from others."""

import time
from dataclasses import dataclass

MAX_STREAMS = 250
"""HTTP/2 streams that are allowed where nothing else is said; what Go's servers allow."""

READ_AT_ONCE = 64 * 2**10
"""Bytes that are read of one listener's connections, before others get their turn; as much as that of a single one.
asyncio reads 256 KiB of each: 29,000 frames of HTTP/2, or some milliseconds' worth of an answer."""
READ_AT_LEAST = 16 * 2**10
"""Of one connection: a record of TLS. Less cannot be passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one listener; None: there is none."""

    connections: int | None = None
    """Connections open at a time that are read."""
    handshakes_per_second: int | None = None
    """Connections that begin to be read, on average; as many may come at once."""
    passed_on: int = 0
    """Connections open at a time that are passed on untouched, because they were more than the two limits above allow.
    One more is closed at once."""
    streams: int | None = None
    """HTTP/2 streams open at a time on each connection, which clients are told; None: `MAX_STREAMS`. One more closes
    the connection."""
    buffered_bytes: int | None = None
    """Bytes held for peers that do not take them. The connection that holds most is cut; looked at now and then, and
    each connection is bounded by itself (`link`, `inflow`)."""


NO_LIMITS = Limits()


def share(at_once: int, read: int) -> int:
    """Give the bytes to read of each connection at once when the last turn, with `at_once`, came to `read` in all."""
    return min(READ_AT_ONCE, max(READ_AT_LEAST, at_once * READ_AT_ONCE // read))


class Rate:
    """Allows a number of events a second, and as many at once after a quiet second (a token bucket)."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = time.monotonic()

    def allow(self) -> bool:
        """Tell whether one more may happen now, and count it if so."""
        now = time.monotonic()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
