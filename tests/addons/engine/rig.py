"""A proxy between a server that a test plays itself and clients that it plays too, all in one event loop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from h2.settings import SettingCodes

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.operations.source import load_catalogue
from apisnoop_addons.engine.listener import Listener
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.identify import Identify
from apisnoop_addons.record import Record
from apisnoop_addons.stream import Stream
from tests.addons.engine.h2_peer import H2Peer
from tests.addons.run.pki import Authority, Issued

HOST = "127.0.0.1"
CATALOGUE = load_catalogue()


def key_pair(issued: Issued) -> KeyPair:
    """Give a certificate as the engine takes it."""
    return KeyPair(issued.certificate, issued.key)


@dataclass
class Rig:
    """What a test holds in its hands."""

    authority: Authority
    certificate: KeyPair
    folder: Path
    calls: list[Call] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    listener: Listener = None  # type: ignore[assignment]
    proxy: Proxy = None  # type: ignore[assignment]
    port: int = 0
    upstream_port: int = 0
    server_context: ssl.SSLContext | None = None
    """The server's side of TLS; None: there is none."""
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=asyncio.Queue)
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    # -- the server's side --------------------------------------------------------------------------------------

    async def next_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wait for the proxy's next connection to the server."""
        return await self.accepted.get()

    async def next_h2(self, **more: Any) -> H2Peer:
        """Wait for the proxy's next connection, and speak HTTP/2 on it."""
        return H2Peer(*await self.next_streams(), client=False, **more)

    # -- the client's side --------------------------------------------------------------------------------------

    def client_context(self, *protocols: str) -> ssl.SSLContext:
        """Make the TLS settings of a client that trusts the rig."""
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    async def connect(self, *protocols: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect a client that offers these protocols."""
        tls = self.client_context(*protocols) if self.server_context else None
        return await asyncio.open_connection(HOST, self.port, ssl=tls, limit=2**22)

    async def h2_client(self, *, settings: dict[SettingCodes, int] | None = None, reads: bool = True) -> H2Peer:
        """Connect an HTTP/2 client."""
        return H2Peer(*await self.connect("h2"), client=True, settings=settings, reads=reads)

    # -- what was recorded --------------------------------------------------------------------------------------

    async def recorded(self, count: int = 1) -> list[Call]:
        """Wait until so many calls have been recorded."""
        async with self.ended:
            await self.ended.wait_for(lambda: len(self.calls) >= count)
        return self.calls

    def record(self, call: Call) -> None:
        """Take a call from the recorder."""
        self.calls.append(call)

        async def tell() -> None:
            async with self.ended:
                self.ended.notify_all()

        self._telling = asyncio.ensure_future(tell())


def server_context(rig: Rig, protocols: tuple[str, ...], *, asks_for: Authority | None = None) -> ssl.SSLContext:
    """Make the TLS settings of the rig's server."""
    chain = rig.folder / "chain.pem"
    chain.write_bytes(rig.certificate.certificate + rig.certificate.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    context.set_alpn_protocols(list(protocols))
    if asks_for is not None:
        context.load_verify_locations(cadata=asks_for.pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def free_socket() -> socket.socket:
    """Bind a listening socket to a free port of loopback."""
    bound = socket.create_server((HOST, 0))
    bound.setblocking(False)
    return bound


@contextlib.asynccontextmanager
async def rigged(
    folder: Path,
    *addons: object,
    before: tuple[object, ...] = (),
    authority: Authority | None = None,
    tls: bool = True,
    identity: Caller = Caller(),  # noqa: B008  frozen
    listener: dict[str, Any] | None = None,
    upstream: dict[str, Any] | None = None,
    **server: Any,
) -> AsyncIterator[Rig]:
    """Start a proxy with the shipped addons, and those given behind them, in front of a server that the test plays.

    `listener` and `upstream` are fields of these two values; the rest is for `serving`.
    """
    authority = authority or Authority("rig")
    rig = Rig(authority, key_pair(authority.issue("server", hosts=(HOST, "localhost"))), folder)
    async with serving(rig, tls=tls, **server):
        bound = free_socket()
        rig.port = bound.getsockname()[1]
        to = {"host": HOST, "port": rig.upstream_port, "tls": tls, "ca_pem": authority.pem, **(upstream or {})}
        rig.listener = Listener(
            socket=bound,
            identity=identity,
            on_failure=lambda _, reason: rig.failures.append(reason),
            upstream=Upstream(**to),
            **{"certificate": rig.certificate if tls else None, **(listener or {})},
        )
        rig.proxy = Proxy(*before, Stream(), Identify(), Record(CATALOGUE, rig.record), *addons)
        await rig.proxy.start()
        await rig.proxy.listen(rig.listener)
        try:
            yield rig
        finally:
            await rig.proxy.stop()


@contextlib.asynccontextmanager
async def serving(
    rig: Rig,
    *,
    tls: bool = True,
    protocols: tuple[str, ...] = ("h2", "http/1.1"),
    asks_for: Authority | None = None,
    serve: bool = True,
    bare: bool = False,
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any] | None = None,
) -> AsyncIterator[None]:
    """Listen as the rig's server: the test plays it, or `answer` does for each connection.

    `serve`: False leaves the port shut. `bare`: the test does the server's TLS itself, with `rig.server_context`.
    """
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer is None:
            rig.accepted.put_nowait((reader, writer))
        else:
            await answer(reader, writer)

    rig.server_context = server_context(rig, protocols, asks_for=asks_for) if tls else None
    context = None if bare else rig.server_context
    server = await asyncio.start_server(accept, HOST, 0, ssl=context, limit=2**22)
    rig.upstream_port = server.sockets[0].getsockname()[1]
    if not serve:
        server.close()
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()
