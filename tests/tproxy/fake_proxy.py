"""A proxy on the wire that accepts and remembers, and does not carry anything by itself."""

import asyncio
import os
import socket
from pathlib import Path

from apisnoop.node.channel import Channel, connect
from apisnoop.node.messages import FROM_AGENT, Beat, Dialled, Drained, Enrol, Enrolled, Hello, Retire


class FakeProxy:
    """Beats and accepts enrolments until told otherwise; everything heard is in `heard`."""

    def __init__(self, path: Path, worker: int = 0, workers: int = 1) -> None:
        self.heard: list[object] = []
        self.news = asyncio.Event()
        self.listeners: dict[int, list[socket.socket]] = {}
        self.dialled: dict[int, socket.socket] = {}
        self.lag = 0.0
        self.beating = True
        self.accepting = True
        """Whether an enrolment is answered at once."""
        self.closed: str | None = None
        self.channel = Channel(connect(path), FROM_AGENT, self._hear, self._close)
        self.channel.send(Hello(worker, workers=workers))
        self._beats = asyncio.create_task(self._beat())

    async def until(self, what):
        """Wait for something to be so, looking at every message and twenty times a second."""
        while not what():
            self.news.clear()
            try:
                async with asyncio.timeout(0.05):
                    await self.news.wait()
            except TimeoutError:
                continue

    async def enrolled(self, namespace: str = "") -> Enrol:
        """Wait for an enrolment, of any pod or one of a namespace, that has not been let go; return the newest."""

        def held() -> list[Enrol]:
            return [one for one in self._held() if namespace in {"", one.caller.namespace}]

        await self.until(held)
        return held()[-1]

    def retired(self, number: int | None = None) -> list[Retire]:
        """Give what was let go."""
        return [one for one in self._of(Retire) if number in {None, one.enrolment}]

    def drained(self, number: int) -> None:
        """Close an enrolment's listeners and say that it is done."""
        for sock in self.listeners.pop(number, []):
            sock.close()
        self.channel.send(Drained(number))

    def close(self) -> None:
        """Go away as a process does that ends."""
        self._beats.cancel()
        self.channel.close()
        for socks in self.listeners.values():
            for sock in socks:
                sock.close()
        for sock in self.dialled.values():
            sock.close()
        self.listeners.clear()

    def _held(self) -> list[Enrol]:
        gone = {one.enrolment for one in self.retired()}
        return [one for one in self._of(Enrol) if one.enrolment not in gone]

    def _of(self, kind):
        return [one for one in self.heard if isinstance(one, kind)]

    def _hear(self, message: object, descriptors: list[int]) -> None:
        self.heard.append(message)
        if isinstance(message, Enrol):
            self.listeners[message.enrolment] = [socket.socket(fileno=one) for one in descriptors]
            if self.accepting:
                self.channel.send(Enrolled(message.enrolment))
        elif isinstance(message, Dialled) and descriptors:
            self.dialled[message.question] = socket.socket(fileno=descriptors[0])
        else:
            for one in descriptors:
                os.close(one)
        self.news.set()

    def _close(self, reason: str) -> None:
        self.closed = reason
        self.news.set()

    async def _beat(self) -> None:
        while True:
            if self.beating:
                self.channel.send(Beat(self.lag))
            await asyncio.sleep(0.05)
