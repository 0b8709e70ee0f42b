"""A channel between the node agent and a proxy worker: messages with sockets beside them, over a Unix socket.

SOCK_SEQPACKET keeps each message and its descriptors together (unix(7), SCM_RIGHTS), so there is no framing to get
wrong. Nothing here waits: what the peer does not take is queued, up to a limit, for a peer that takes nothing is frozen
and this side has to go on without it.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from apisnoop.causes import cause_of
from apisnoop.decoding import Decoder
from apisnoop.node.messages import Message, encode

LARGEST = 128 * 1024
"""Bytes of one message, well below what the kernel takes in one piece (net.core.wmem_default, 208 KiB)."""
MOST_DESCRIPTORS = 4
MOST_WAITING = 10_000
"""Messages that may wait for the peer."""
MOST_AT_ONCE = 64
"""Messages that are read before others get their turn. A busy proxy's turns take milliseconds, and each new connection
waits for two answers: read one a turn, those of a pod that opens a thousand would be waited for by all pods."""


class Channel[Received]:
    """One connection, inside the running event loop.

    `receive` is called with each message and the descriptors that came with it, which are then the callee's to close;
    `closed` once, when nothing more will come, with the reason in words.
    """

    def __init__(
        self,
        sock: socket.socket,
        decoder: Decoder[Received],
        receive: Callable[[Received, list[int]], None],
        closed: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._decoder = decoder
        self._receive = receive
        self._closed = closed
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    @property
    def open(self) -> bool:
        """Whether anything can still be sent."""
        return self._socket.fileno() >= 0

    def send(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a message with sockets, of which the peer gets copies. On a closed channel it is dropped."""
        if not self.open:
            return
        copies = [os.dup(sock.fileno()) for sock in sockets]  # the caller may close its own before they are sent
        self._waiting.append((encode(message), copies))
        if len(self._waiting) == 1:
            self._writable()
        elif len(self._waiting) > MOST_WAITING:
            self.close("the other side has stopped reading")

    def close(self, reason: str = "closed here") -> None:
        """End the channel. What has not been sent is dropped."""
        if not self.open:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for _, copies in self._waiting:
            close_all(copies)
        self._waiting.clear()
        self._closed(reason)

    def _writable(self) -> None:
        while self._waiting:
            data, copies = self._waiting[0]
            try:
                socket.send_fds(self._socket, [data], copies)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._writable)
                return
            except OSError as error:
                self.close(cause_of(error))
                return
            self._waiting.popleft()
            close_all(copies)
        self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        for _ in range(MOST_AT_ONCE):
            if not self._read():
                return

    def _read(self) -> bool:
        """Read a message; return whether there may be another."""
        try:
            data, descriptors, flags, _ = socket.recv_fds(
                self._socket, LARGEST, MOST_DESCRIPTORS, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return False
        except OSError as error:
            self.close(cause_of(error))
            return False
        if not data or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            close_all(descriptors)
            self.close("the other side has gone" if not data else "a message was too large")
            return False
        try:
            message = self._decoder.decode(data)
        except msgspec.MsgspecError as error:
            close_all(descriptors)
            self.close(f"the other side speaks another language: {error}")
            return False
        self._receive(message, descriptors)
        return self.open  # whoever heard it may have closed it


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)


def listen(path: Path, *, group: int | None = None) -> socket.socket:
    """Open the agent's end at `path`, in place of what an earlier one left there; `group` may connect besides us."""
    path.unlink(missing_ok=True)
    sock = _seqpacket()
    sock.bind(str(path))
    path.chmod(0o660)
    if group is not None:
        os.chown(path, -1, group)
    sock.listen(8)
    return sock


def connect(path: Path) -> socket.socket:
    """Connect to the agent at `path`. Raises OSError while there is none."""
    sock = _seqpacket()
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


def peer_user(sock: socket.socket) -> int:
    """Return the user ID of whoever is at the other end (unix(7), SO_PEERCRED)."""
    _, user, _ = struct.unpack("iii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iii")))
    return int(user)


def _seqpacket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
