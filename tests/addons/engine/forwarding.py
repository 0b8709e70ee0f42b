"""A proxy before the server, in the test's own event loop: HTTP CONNECT or SOCKS 5, with half-closes."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Forwarding:
    """A running proxy."""

    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Where it was asked to connect to."""
    heads: list[bytes] = field(default_factory=list)
    """What it was sent before that."""


@contextlib.asynccontextmanager
async def forwarding(scheme: str, *, refuse: bytes = b"", pieces: bool = False) -> AsyncIterator[Forwarding]:
    """Run a proxy for http or socks5 URLs.

    `refuse` is sent as the answer, in place of going on. `pieces`: every answer is sent byte by byte.
    """
    running, tasks = Forwarding(), set()

    async def answer(writer: asyncio.StreamWriter, data: bytes) -> None:
        for start in range(0, len(data), 1 if pieces else len(data)):
            writer.write(data[start : start + 1] if pieces else data)
            await writer.drain()
            await asyncio.sleep(0)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        running.heads.append(head)
        host, _, port = head.split(b" ")[1].rpartition(b":")
        running.asked.append((host.decode().strip("[]"), int(port)))
        await answer(writer, refuse or b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")

    async def socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.heads.append(await reader.readexactly((await reader.readexactly(2))[1]))
        await answer(writer, b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        running.asked.append((host, int.from_bytes(await reader.readexactly(2))))
        await answer(writer, refuse or b"\x05\x00\x00\x03\x04name\x00\x50")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await (socks5 if scheme == "socks5" else connect)(reader, writer)
            if not refuse:
                to_reader, to_writer = await asyncio.open_connection(*running.asked[-1])
                await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
                to_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0, limit=2**22)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
