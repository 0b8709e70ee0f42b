"""Accepts connections on one listening socket, and leaves none behind when it stops.

asyncio's own server closes the socket at once, and with it resets what its peers take to be connected already: those in
the kernel's queue, and those it has accepted but not told anybody of. A pod that is let go must not notice.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

AT_ONCE = 2
"""Connections accepted before others get their turn."""
CROWD_SECONDS = 0.004
"""Until the next ones when those before were too many: however fast they come, they take a part of the time only."""
RETRY_SECONDS = 1.0
"""Until it is tried again when the system has run out of descriptors or memory."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.ENETDOWN,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    }
)
"""What went wrong with a connection while it waited; Linux tells the one who accepts it, as accept(2) has it."""

logger = logging.getLogger(__name__)


class Acceptor:
    """Use: `start`, then `stop`, inside the running event loop. The socket is the acceptor's."""

    def __init__(
        self, sock: socket.socket, protocol: Callable[[Any], asyncio.Protocol], settled: Callable[[], None]
    ) -> None:
        """`protocol` makes one for the peer's address; `settled` is told whenever no connection is on its way."""
        self._socket = sock
        self._protocol = protocol
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._waiting = 0
        """How many may have connected before it was stopped, and are still to be accepted."""
        self._stopped = False
        self.crowded = False
        """What has been accepted last was too much: there is no hurry with the next."""

    @property
    def arriving(self) -> bool:
        """Whether a connection may still reach a protocol: one is accepted, or may wait and `stop` has been called."""
        return bool(self._arriving) or (self._stopped and self._socket.fileno() != -1)

    def start(self, backlog: int) -> None:
        """Listen. Raises OSError or ValueError for a socket that cannot."""
        self._socket.setblocking(False)
        self._socket.listen(backlog)
        self._waiting = backlog + 1  # as many does the kernel keep
        self._loop.add_reader(self._socket, self._accept)

    def stop(self) -> None:
        """Take what has connected so far, or as much of it as the system has the means for; then close the socket.

        Returns at once; `settled` is told when that is done.
        """
        self._stopped = True
        self._loop.remove_reader(self._socket)
        if self._paused is not None:
            self._paused.cancel()
        self._accept_last()

    def _accept(self) -> None:
        self._accept_some()
        if self.crowded and self._paused is None:
            self._pause(CROWD_SECONDS)

    def _accept_last(self) -> None:
        """Accept what is left, others in between: it may be as much as the kernel keeps."""
        try:
            more = self._accept_some()
        except OSError as error:
            logger.warning("cannot accept what has connected last: %s", error.strerror)
            more = False
        self._waiting -= AT_ONCE
        if more and self._waiting > 0:
            self._loop.call_soon(self._accept_last)  # also a crowd: clients give a socket up that is closed late
            return
        self._socket.close()
        if not self._arriving:
            self._settled()

    def _accept_some(self) -> bool:
        """Accept connections; return whether there may be more."""
        return all(self._accept_one() for _ in range(AT_ONCE))

    def _accept_one(self) -> bool:
        """Accept a connection; return whether there may be another."""
        try:
            sock, address = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in _GONE:
                return True
            if error.errno not in _EXHAUSTED:
                raise
            logger.warning("cannot accept connections for now: %s", error.strerror)
            if not self._stopped:
                self._pause(RETRY_SECONDS)  # the kernel would call us again and again, to no avail
            return False
        sock.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: self._protocol(address), sock))
        self._arriving.add(task)
        task.add_done_callback(self._arrived)
        return True

    def _pause(self, seconds: float) -> None:
        """Leave connections waiting for a moment."""
        self._loop.remove_reader(self._socket)
        self._paused = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._socket, self._accept)

    def _arrived(self, task: asyncio.Task[object]) -> None:
        self._arriving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("an accepted connection was gone at once: %s", error)
        if not self.arriving:
            self._settled()
