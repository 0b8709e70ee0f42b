"""The agent's end of the wire: lets the proxy connect, makes sure that it is the proxy, and keeps one channel to it."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from apisnoop.node.channel import Channel, close_all, listen, peer_user
from apisnoop.node.messages import FROM_PROXY, VERSION, FromProxy, Hello, Message

logger = logging.getLogger(__name__)


class Master(Protocol):
    """Who decides. Nothing here may block or raise."""

    def connected(self) -> None:
        """Take up with a proxy that has no enrolments."""

    def hear(self, message: FromProxy) -> None:
        """Take what it says."""

    def lost(self, reason: str) -> None:
        """Hear that it has gone, with all enrolments."""


class ProxyLink:
    """Use: `link.start(master)` inside the event loop, then `say` at any time, and `close` at the end."""

    def __init__(self, path: Path, users: frozenset[int], group: int | None = None) -> None:
        """`users` may connect, and so may ours."""
        self._path = path
        self._users = users | {os.geteuid()}
        self._group = group
        self._listening: socket.socket | None = None
        self._channel: Channel[FromProxy] | None = None
        self._greeted = False

    @property
    def connected(self) -> bool:
        """Whether there is a proxy that has said who it is."""
        return self._channel is not None and self._greeted

    def start(self, master: Master) -> None:
        """Let proxies connect. Raises OSError where there is no folder for the socket."""
        self._master = master
        self._listening = listen(self._path, group=self._group)
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def say(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        """Tell the proxy something; if there is none, nobody needs to know."""
        if self._channel is not None:
            self._channel.send(message, sockets)

    def close(self) -> None:
        """Let go of the proxy and let none in any more."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._path.unlink(missing_ok=True)
        if self._channel is not None:
            self._channel.close("the agent ends")

    def _accept(self) -> None:
        assert self._listening is not None
        with suppress(BlockingIOError, ConnectionError):
            sock, _ = self._listening.accept()
            user = peer_user(sock)
            if user not in self._users:
                logger.warning("user %d may not connect to %s", user, self._path)
                sock.close()
                return
            if self._channel is not None:
                self._channel.close("another proxy has connected")
            self._greeted = False
            self._channel = Channel(sock, FROM_PROXY, self._hear, self._closed)

    def _hear(self, message: FromProxy, descriptors: list[int]) -> None:
        close_all(descriptors)
        if isinstance(message, Hello):
            if message.version != VERSION and self._channel is not None:
                self._channel.close(f"the proxy speaks version {message.version} of the wire and we {VERSION}")
                return
            self._greeted = True
            self._master.connected()
        elif self._greeted:
            self._master.hear(message)

    def _closed(self, reason: str) -> None:
        greeted, self._greeted, self._channel = self._greeted, False, None
        if greeted:
            self._master.lost(reason)
