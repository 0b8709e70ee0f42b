"""Proxies on the way to a server, as companies have them: HTTP CONNECT, also inside TLS, SOCKS 5; with passwords."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LOGIN = ("ann", "hunter2")

type Handshake = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bool], Awaitable[tuple[str, int]]]


@dataclass
class Proxy:
    """A running proxy."""

    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Where it connected to."""


@contextmanager
def proxy(
    scheme: str, *, host: str = "127.0.0.1", login: bool = False, context: ssl.SSLContext | None = None, to: str = ""
) -> Iterator[Proxy]:
    """Run a proxy for http (https with a `context`) or socks5 URLs.

    It asks for LOGIN if `login`, and connects to the host `to` in place of the one it was asked for.
    """
    loop, running = asyncio.new_event_loop(), Proxy()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            handshake: Handshake = _socks5 if scheme == "socks5" else _connect
            target = await handshake(reader, writer, login)
            running.asked.append(target)
            await _relay(reader, writer, to or target[0], target[1])
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one of the three has gone, or the proxy is told to end
        finally:
            writer.close()

    async def begin() -> asyncio.Server:
        server = await asyncio.start_server(relay, host, 0, ssl=context)
        running.port = server.sockets[0].getsockname()[1]
        return server

    async def end(server: asyncio.Server) -> None:
        server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        await asyncio.sleep(0)  # what was closed is told so in the loop's next round

    server = loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: bool) -> tuple[str, int]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    wanted = base64.b64encode(":".join(LOGIN).encode()).decode()
    if login and f"Proxy-Authorization: Basic {wanted}" not in head:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        raise ConnectionRefusedError
    host, _, port = head.split(" ")[1].rpartition(":")
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return host, int(port)


async def _socks5(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: bool) -> tuple[str, int]:
    offered = await reader.readexactly((await reader.readexactly(2))[1])
    method = 2 if login else 0
    if method not in offered:
        writer.write(b"\x05\xff")
        raise ConnectionRefusedError
    writer.write(bytes([5, method]))
    if login and await _told_login(reader, writer) != LOGIN:
        raise ConnectionRefusedError
    kind = (await reader.readexactly(4))[3]
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    else:
        host = ".".join(map(str, await reader.readexactly(4)))
    port = int.from_bytes(await reader.readexactly(2))
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return host, port


async def _told_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, ...]:
    await reader.readexactly(1)
    parts = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in LOGIN]
    told = tuple(part.decode() for part in parts)
    writer.write(b"\x01\x00" if told == LOGIN else b"\x01\x01")
    return told


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    finally:
        far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
