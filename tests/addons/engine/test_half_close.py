"""Upgraded connections (exec, attach, port-forward): a peer that has nothing more to say still hears the rest."""

import asyncio
import contextlib
import socket
import ssl
import struct

import pytest

from tests.addons.engine.forwarding import forwarding
from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop

UPGRADE = (
    b"GET /api/v1/namespaces/a/pods/b/exec?command=x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
PROTOCOLS = [b"websocket", b"SPDY/3.1"]


class Peer:
    """TLS whose two directions end one at a time, which asyncio's cannot."""

    def __init__(self, reader, writer, context=None, *, server=False):
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else HOST
        self.tls = context and context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name)

    async def handshake(self):
        if self.tls is not None:
            await self._until(self.tls.do_handshake)
        return self

    async def _until(self, step):
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self.flush()
                data = await self.reader.read(2**16)
                self.incoming.write(data) if data else self.incoming.write_eof()
            else:
                self.flush()
                return result

    def flush(self):
        if self.outgoing.pending:
            self.writer.write(self.outgoing.read())

    def send(self, data):
        if self.tls is None:
            self.writer.write(data)
        else:
            self.tls.write(data)
            self.flush()

    def end(self, alert=True):
        """Say that nothing more will come: by TLS's alert only, or by the socket."""
        if self.tls is not None and alert:
            with contextlib.suppress(ssl.SSLWantReadError):  # it would wait for the other end
                self.tls.unwrap()
            self.flush()
        else:
            self.writer.write_eof()

    async def read(self, size=2**16):
        """Read what there is; nothing: the other direction has ended."""
        if self.tls is None:
            return await self.reader.read(size)
        try:
            return await self._until(lambda: self.tls.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def read_until(self, end):
        data = b""
        while not data.endswith(end):
            piece = await self.read(1)
            assert piece, f"ended after {data!r}"
            data += piece
        return data

    async def read_to_end(self):
        data = b""
        while piece := await self.read():
            data += piece
        return data

    def cut(self):
        """Vanish, with a reset in place of a farewell."""
        with contextlib.suppress(OSError):  # it has gone already
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def upgraded(rig, protocol=b"websocket"):
    """Upgrade a connection, and give both of its ends."""
    tls = rig.listener.certificate is not None
    client = await Peer(
        *await asyncio.open_connection(HOST, rig.port), rig.client_context("http/1.1") if tls else None
    ).handshake()
    client.send(UPGRADE % protocol)
    reader, writer = await rig.next_streams()
    server = await Peer(reader, writer, rig.server_context, server=True).handshake()
    await server.read_until(b"\r\n\r\n")
    server.send(SWITCHED % protocol)
    await client.read_until(b"\r\n\r\n")
    try:
        yield client, server
    finally:
        for peer in (client, server):
            peer.cut()
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()


def variants(test):
    return pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])(test)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("alert", [True, False], ids=["alert", "fin"])
@pytest.mark.parametrize("first", ["client", "server"])
@variants
@in_loop
async def test_a_peer_that_ends_its_direction_gets_the_rest_of_the_other(tmp_path, tls, first, alert, protocol):
    """The other one hears that end, and what it then sends arrives whole, with its own end."""
    async with rigged(tmp_path, tls=tls, bare=True) as rig, upgraded(rig, protocol) as (client, server):
        ending, going_on = (client, server) if first == "client" else (server, client)
        ending.send(b"short")
        ending.end(alert)
        assert await going_on.read_to_end() == b"short"
        going_on.send(b"longer" * 100_000)
        going_on.end()
        assert await ending.read_to_end() == b"longer" * 100_000
        [call] = await rig.recorded()
        assert (call.status, call.error) == (101, "")
        passed = (call.request_bytes, call.response_bytes)
        assert passed == ((5, 600_000) if first == "client" else (600_000, 5))


@variants
@in_loop
async def test_a_server_that_is_gone_ends_the_clients_connection(tmp_path, tls):
    """After a reset there is nobody to talk to: no half-open connection stays behind."""
    async with rigged(tmp_path, tls=tls, bare=True) as rig, upgraded(rig) as (client, server):
        server.cut()
        assert await client.read_to_end() == b""
        await rig.recorded()


@variants
@in_loop
async def test_what_is_sent_to_a_server_that_is_gone_breaks_the_connection(tmp_path, tls):
    """A server that first ended its direction, then vanished, would have answered with a reset."""
    async with rigged(tmp_path, tls=tls, bare=True) as rig, upgraded(rig) as (client, server):
        server.end(alert=False)
        assert await client.read_to_end() == b""
        server.cut()
        while not client.writer.is_closing():
            client.send(b"x" * 1000)
            await asyncio.sleep(0.01)
        [call] = await rig.recorded()
        assert call.status == 101


@variants
@in_loop
async def test_a_client_that_is_gone_ends_the_servers_connection(tmp_path, tls):
    """A shell whose user has gone away is not kept."""
    async with rigged(tmp_path, tls=tls, bare=True) as rig, upgraded(rig) as (client, server):
        client.cut()
        assert await server.read_to_end() == b""
        await rig.recorded()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@in_loop
async def test_a_tunnel_through_a_proxy_passes_half_closes_on(tmp_path, scheme):
    """The connection to the server may lie inside of one to a proxy."""
    async with (
        forwarding(scheme) as proxy,
        rigged(tmp_path, bare=True, upstream={"proxy_url": f"{scheme}://{HOST}:{proxy.port}"}) as rig,
        upgraded(rig) as (client, server),
    ):
        client.send(b"input")
        client.end()
        assert await server.read_to_end() == b"input"
        server.send(b"output")
        server.end()
        assert await client.read_to_end() == b"output"
        assert proxy.asked == [(HOST, rig.upstream_port)]
