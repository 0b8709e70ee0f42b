"""How much a peer may send: HTTP/2 windows are handed back when data has been passed on, not when it has arrived.

Without this, an answer to a client that does not read would pile up in memory without end. A stream that is stuck gets
no new window, so it stops after `STREAM_WINDOW` bytes. The window of the connection is still handed back, so that other
streams go on, until so much is stuck that the connection as a whole has to wait.
"""

from apisnoop_addons.engine.h2_connection import H2Connection

MOST_STUCK = 16 * 2**20
"""Bytes that may be stuck on one connection before all of its streams wait."""


class Inflow:
    """Hands back the windows of one connection's receiving side."""

    def __init__(self, h2: H2Connection) -> None:
        self._h2 = h2
        self._held: dict[int, int] = {}
        """Bytes not yet handed back of each stream that is held back."""
        self._stuck = 0
        self._withheld = 0
        """Bytes not yet handed back to the connection."""

    def received(self, stream_id: int, size: int) -> None:
        """Account for data that has arrived and been given to whoever passes it on."""
        if stream_id not in self._held:
            self._h2.open_stream_window(stream_id, size)
            self._h2.open_window(size)
            return
        self._held[stream_id] += size
        self._stuck += size
        if self._stuck > MOST_STUCK:
            self._withheld += size
        else:
            self._h2.open_window(size)

    def hold(self, stream_id: int) -> None:
        """Hand nothing back on a stream from now on."""
        self._held.setdefault(stream_id, 0)

    def release(self, stream_id: int) -> None:
        """Hand back what was held on a stream; also to be called when it ends."""
        size = self._held.pop(stream_id, None)
        if size is None:
            return
        self._stuck -= size
        self._h2.open_stream_window(stream_id, size)
        if self._withheld and self._stuck <= MOST_STUCK:
            self._h2.open_window(self._withheld)
            self._withheld = 0
