"""Who is let in, and how: decided about each connection before a byte of it is read."""

import asyncio
import socket

import pytest

from apisnoop.calls.caller import Caller
from apisnoop_addons.engine.admission import Admission
from apisnoop_addons.engine.connect import (
    IDLE_BEFORE_PROBE,
    PROBE_INTERVAL,
    PROBES,
    UNACKNOWLEDGED_LIMIT_MS,
    connect_directly,
)
from tests.addons.engine.calling import call, read_to_end, serve_one
from tests.addons.engine.rig import HOST, rigged
from tests.addons.engine.watcher import Watcher
from tests.looped import in_loop

POD = Caller(namespace="ns", pod="web-1", container="app")


def admitting(admission):
    """Make a listener's `admit` that decides so, and notes whom it was asked about."""
    asked = []

    async def admit(client):
        asked.append(client)
        await asyncio.sleep(0)
        if isinstance(admission, Exception):
            raise admission
        return admission

    return {"admit": admit}, asked


@in_loop
async def test_the_caller_is_the_one_of_the_admission(tmp_path):
    """It takes the place of the listener's identity, and is asked for once a connection."""
    fields, asked = admitting(Admission(POD))
    async with rigged(tmp_path, listener=fields, identity=Caller(namespace="ns", pod="web-1")) as rig:
        async with await rig.h2_client() as client, asyncio.TaskGroup() as both:
            serving = both.create_task(serve_one(rig))
            await call(client)
            server = await serving
            assert asked[0].socket.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
            again = client.request("GET", "/api/v1/nodes")
            inner, _ = await server.next_request()
            server.respond(inner, b"ok")
            await client.answer(again)
            await server.close()
        calls = await rig.recorded(2)
    assert [call.caller.container for call in calls] == ["app", "app"]
    assert len(asked) == 1
    assert asked[0].peername[0] == HOST


@pytest.mark.parametrize(
    "decision", [Admission(None), OSError("the agent is gone"), TimeoutError(), ValueError("a bug")], ids=repr
)
@in_loop
async def test_who_is_not_let_in_is_closed_before_tls(tmp_path, decision):
    """Not a byte is answered, no addon hears of it, and nothing is opened upstream."""
    fields, _ = admitting(decision)
    watcher = Watcher()
    async with rigged(tmp_path, watcher, listener=fields) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(b"\x16\x03\x01")
        assert await read_to_end(reader) == b""
        writer.close()
        assert rig.accepted.empty()
    assert watcher.heard == []


@in_loop
async def test_a_client_that_leaves_before_the_decision_leaves_nothing_behind(tmp_path):
    """A decision about somebody who has gone is dropped."""
    asked, decide, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def admit(_client):
        asked.set()
        await decide.wait()
        return Admission(POD)

    async with rigged(tmp_path, listener={"admit": admit, "drained": lambda _: gone.set()}) as rig:
        _, writer = await asyncio.open_connection(HOST, rig.port)
        await asked.wait()
        await rig.proxy.unlisten(rig.listener, cut=True)
        await gone.wait()
        decide.set()
        assert rig.proxy.connections(rig.listener) == 0
        writer.close()


@in_loop
async def test_the_upstream_of_the_admission_is_connected_to(tmp_path):
    """Where the client wanted to go takes the place of the listener's address; the name verified stays."""
    connected = []

    async def connect(client, host, port):
        connected.append((host, port))
        return await connect_directly(client, HOST, rig.upstream_port)

    fields, _ = admitting(Admission(POD, upstream=("10.96.0.1", 443)))
    async with (
        rigged(tmp_path, listener={**fields, "connect": connect}, upstream={"server_name": "localhost"}) as rig,
        await rig.h2_client() as client,
        asyncio.TaskGroup() as both,
    ):
        both.create_task(serve_one(rig, close=True))
        await call(client)
    assert connected == [("10.96.0.1", 443)]


@in_loop
async def test_an_injected_socket_is_watched_over(tmp_path):
    """Whoever made it: a server that is gone is found out, with data on its way and without."""
    made = []

    async def connect(client, host, port):
        made.append(await connect_directly(client, host, port))
        return made[0]

    async with rigged(tmp_path, listener={"connect": connect}) as rig, await rig.h2_client() as client:
        client.request("GET", "/api/v1/pods?watch=1")
        async with await rig.next_h2() as server:
            await server.next_request()
            option = made[0].getsockopt
            assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == IDLE_BEFORE_PROBE
            assert option(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == PROBE_INTERVAL
            assert option(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == PROBES
            assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNACKNOWLEDGED_LIMIT_MS


# -- untouched --------------------------------------------------------------------------------------------------


@in_loop
async def test_an_untouched_connection_passes_byte_by_byte(tmp_path):
    """Client and server speak TLS with one another, both ends are told of, and nothing is recorded."""
    fields, _ = admitting(Admission(POD, untouched=True))
    watcher = Watcher()
    async with rigged(tmp_path, watcher, listener=fields, bare=True) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        server_reader, server_writer = await rig.next_streams()
        writer.write(b"no TLS at all")
        writer.write_eof()
        assert await server_reader.read(-1) == b"no TLS at all"
        server_writer.write(b"answer" * 200_000)
        server_writer.close()
        assert await reader.read(-1) == b"answer" * 200_000
        writer.close()
        assert rig.calls == []
    assert [name for name in watcher.of() if name.startswith("tls")] == []


@in_loop
async def test_an_untouched_client_speaks_tls_with_the_server_itself(tmp_path):
    """That is what it is passed through for: its own handshake, with whatever certificate it has."""
    fields, _ = admitting(Admission(POD, untouched=True))
    async with rigged(tmp_path, listener=fields) as rig, await rig.h2_client() as client:
        async with asyncio.TaskGroup() as both:
            both.create_task(serve_one(rig, close=True))
            await call(client)
        assert rig.calls == []


@in_loop
async def test_an_untouched_connection_to_nowhere_is_closed(tmp_path):
    """As it would have been refused without us."""
    fields, _ = admitting(Admission(POD, untouched=True))
    async with rigged(tmp_path, listener=fields, serve=False) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        assert await read_to_end(reader) == b""
        writer.close()


@in_loop
async def test_an_untouched_connection_holds_back_what_is_not_read(tmp_path):
    """A server that sends without end to a client that does not read is stopped."""
    fields, _ = admitting(Admission(POD, untouched=True))
    async with rigged(tmp_path, listener=fields, bare=True) as rig:
        _, writer = await asyncio.open_connection(HOST, rig.port, limit=1000)
        _, server_writer = await rig.next_streams()
        sent = 0
        while sent < 200 * 2**20 and await drained(server_writer):
            server_writer.write(b"x" * 2**20)
            sent += 2**20
        assert sent < 50 * 2**20
        writer.transport.abort()


async def drained(writer):
    """Tell whether what was written is taken within a second."""
    try:
        async with asyncio.timeout(1):
            await writer.drain()
    except TimeoutError:
        return False
    return True
