"""The agent's end of the wire: lets the proxy's workers connect, makes sure that they are, and keeps a channel to each.

What has become of the sockets that were sent to one is not its business.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from apisnoop.node.channel import Channel, close_all, listen, peer_user
from apisnoop.node.messages import FROM_PROXY, VERSION, FromProxy, Hello, Message

MOST_WORKERS = 64
"""Far more than a node has processors to spare for."""

logger = logging.getLogger(__name__)


class Worker:
    """Who is at the other end of one channel."""

    def __init__(self) -> None:
        self.channel: Channel[FromProxy]
        self.number = -1
        """Its own, once it has said who it is."""

    def say(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        """Tell it something, of which it gets copies of the sockets; if it has gone, nobody needs to know."""
        self.channel.send(message, sockets)


class Master(Protocol):
    """Who decides. Nothing here may block or raise."""

    def joined(self, worker: Worker) -> None:
        """Take up with a worker that has no enrolments."""

    def hear(self, worker: Worker, message: FromProxy) -> None:
        """Take what one says."""

    def lost(self, worker: Worker, reason: str) -> None:
        """Hear that one has gone, with all that it carried."""


class ProxyLink:
    """Use: `link.start(master)` inside the event loop, then `say` at any time, and `close` at the end."""

    def __init__(self, path: Path, users: frozenset[int], group: int | None = None) -> None:
        """`users` may connect, and so may ours."""
        self._path = path
        self._users = users | {os.geteuid()}
        self._group = group
        self._listening: socket.socket | None = None
        self._strangers: list[Worker] = []
        """Those that have not said who they are."""
        self._workers: dict[int, Worker] = {}
        self._expected = 1
        """How many workers the proxy has, as they say."""
        self._objection = ""
        """Why somebody was turned away last."""

    @property
    def workers(self) -> frozenset[int]:
        """The numbers of those that have said who they are."""
        return frozenset(self._workers)

    @property
    def connected(self) -> bool:
        """Whether there is any of them."""
        return bool(self._workers)

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return len(self._workers) == self._expected

    def start(self, master: Master) -> None:
        """Let proxies connect. Raises OSError where there is no folder for the socket."""
        self._master = master
        self._listening = listen(self._path, group=self._group)
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def say(self, message: Message, sockets: Sequence[socket.socket] = (), *, but: Worker | None = None) -> None:
        """Tell all workers something, `but` one; if there is none, nobody needs to know."""
        for worker in list(self._workers.values()):
            if worker is not but:
                worker.say(message, sockets)

    def close(self) -> None:
        """Let go of the proxy and let none in any more."""
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._path.unlink(missing_ok=True)
        self._dismiss([*self._strangers, *self._workers.values()], "the agent ends")

    def _accept(self) -> None:
        assert self._listening is not None
        with suppress(BlockingIOError, ConnectionError):
            sock, _ = self._listening.accept()
            user = peer_user(sock)
            if user not in self._users:
                logger.warning("user %d may not connect to %s", user, self._path)
                sock.close()
                return
            worker = Worker()
            worker.channel = Channel(sock, FROM_PROXY, partial(self._hear, worker), partial(self._closed, worker))
            self._strangers.append(worker)
            self._dismiss(self._strangers[:-MOST_WORKERS], "it has not said who it is")

    def _hear(self, worker: Worker, message: FromProxy, descriptors: list[int]) -> None:
        close_all(descriptors)
        if isinstance(message, Hello):
            self._greet(worker, message)
        elif worker not in self._strangers:
            self._master.hear(worker, message)

    def _greet(self, worker: Worker, hello: Hello) -> None:
        if objection := _objection(hello):
            if objection != self._objection:  # else it tries again and again
                logger.warning("%s", objection)
                self._objection = objection
            self._dismiss([worker], objection)
            return
        if worker not in self._strangers:
            self._dismiss([worker], "it has said before who it is")
            return
        if hello.workers != self._expected:
            self._dismiss(list(self._workers.values()), "another proxy has connected")
        elif hello.worker in self._workers:
            self._dismiss([self._workers[hello.worker]], "another proxy has connected")
        self._expected = hello.workers
        self._strangers.remove(worker)
        worker.number = hello.worker
        self._workers[worker.number] = worker
        self._master.joined(worker)

    def _dismiss(self, workers: Sequence[Worker], reason: str) -> None:
        for worker in workers:
            worker.channel.close(reason)

    def _closed(self, worker: Worker, reason: str) -> None:
        if worker in self._strangers:
            self._strangers.remove(worker)
        elif self._workers.get(worker.number) is worker:
            del self._workers[worker.number]
            self._master.lost(worker, reason)


def _objection(hello: Hello) -> str:
    """Say why one cannot be a worker of ours; empty: it can."""
    if hello.version != VERSION:
        return f"the proxy speaks version {hello.version} of the wire and we {VERSION}"
    if not 0 <= hello.worker < hello.workers <= MOST_WORKERS:
        return f"a worker says that it is number {hello.worker} of {hello.workers}"
    return ""
