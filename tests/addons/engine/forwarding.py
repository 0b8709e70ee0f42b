"""A proxy before the server, in the test's own event loop: HTTP CONNECT or SOCKS 5, with half-closes."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Forwarding:
    """A proxy for http or socks5 URLs."""

    scheme: str
    answers: Mapping[str, bytes] = field(default_factory=dict)
    """What it says to "greeting", "login" or "connect" in place of what lets the client go on; nothing more follows."""
    pieces: bool = False
    """What it says it sends byte by byte."""
    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Where it was asked to connect to."""
    said: list[bytes] = field(default_factory=list)
    """What clients said before that."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if await (self._socks5 if self.scheme == "socks5" else self._connect)(reader, writer):
                await _pass_on(reader, writer, *self.asked[-1])
            else:
                await reader.read()
        writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.said.append(head)
        host, _, port = head.split(b" ")[1].rpartition(b":")
        self.asked.append((host.decode().strip("[]"), int(port)))
        return await self._answer(writer, "connect", b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        offered = await reader.readexactly((await reader.readexactly(2))[1])
        method = 2 if 2 in offered else 0
        if not await self._answer(writer, "greeting", bytes([5, method])):
            return False
        if method == 2:  # RFC 1929
            user = await reader.readexactly((await reader.readexactly(2))[1])
            self.said.append(user + b":" + await reader.readexactly((await reader.readexactly(1))[0]))
            if not await self._answer(writer, "login", b"\x01\x00"):
                return False
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        self.asked.append((host, int.from_bytes(await reader.readexactly(2))))
        return await self._answer(writer, "connect", b"\x05\x00\x00\x03\x04name\x00\x50")

    async def _answer(self, writer: asyncio.StreamWriter, to: str, good: bytes) -> bool:
        """Say what is to be said, and return whether that lets the client go on."""
        data = self.answers.get(to, good)
        for start in range(len(data)) if self.pieces else (0,):
            writer.write(data[start : start + 1] if self.pieces else data)
            await writer.drain()
            await asyncio.sleep(0)
        return to not in self.answers


@contextlib.asynccontextmanager
async def forwarding(
    scheme: str, *, answers: Mapping[str, bytes] | None = None, pieces: bool = False
) -> AsyncIterator[Forwarding]:
    """Run a proxy; `Forwarding` says what the arguments mean."""
    running = Forwarding(scheme, answers or {}, pieces)
    server = await asyncio.start_server(running.serve, HOST, 0, limit=2**22)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in running.tasks:
            task.cancel()
        await asyncio.gather(*running.tasks, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    to_reader, to_writer = await asyncio.open_connection(host, port)
    try:
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
    finally:
        to_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
