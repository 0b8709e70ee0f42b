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

AT_ONCE = 10
"""Connections accepted before others get their turn."""
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
        self._retry: asyncio.TimerHandle | None = None
        self._stopped = False

    @property
    def arriving(self) -> bool:
        """Whether a connection has been accepted that its protocol has not heard of yet."""
        return bool(self._arriving)

    def start(self, backlog: int) -> None:
        """Listen. Raises OSError or ValueError for a socket that cannot."""
        self._socket.setblocking(False)
        self._socket.listen(backlog)
        self._loop.add_reader(self._socket, self._accept)

    def stop(self) -> None:
        """Take what has connected so far, or as much of it as the system has the means for; then close the socket."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._socket)
        try:
            while self._accept_one():
                pass
        except OSError as error:
            logger.warning("cannot accept what has connected last: %s", error.strerror)
        finally:
            self._socket.close()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if not self._accept_one():
                return

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
            self._pause(error)
            return False
        sock.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: self._protocol(address), sock))
        self._arriving.add(task)
        task.add_done_callback(self._arrived)
        return True

    def _pause(self, error: OSError) -> None:
        """Leave connections waiting for a moment: the kernel would call us again and again, to no avail."""
        logger.warning("cannot accept connections for now: %s", error.strerror)
        if self._stopped:
            return
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(RETRY_SECONDS, lambda: self._loop.add_reader(self._socket, self._accept))

    def _arrived(self, task: asyncio.Task[object]) -> None:
        self._arriving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.debug("an accepted connection was gone at once: %s", error)
        if not self._arriving:
            self._settled()
