"""A listener's clients keep to its limits, and whoever is responsible for them is told which they reach."""

import asyncio
import socket
from contextlib import closing
from functools import partial

import pytest
from h2.settings import SettingCodes

from apisnoop_addons.engine import acceptor, limits, proxy, served
from apisnoop_addons.engine.driver import Driver
from apisnoop_addons.engine.limits import Limits, Rate
from apisnoop_addons.engine.listener import Listener
from apisnoop_addons.engine.served import ENDS_AT_ONCE
from apisnoop_addons.engine.upstream import Upstream
from tests.addons.engine.calling import call, read_to_end, serve_one
from tests.addons.engine.rig import HOST, rigged
from tests.looped import eventually, in_loop


class Told:
    """Notes the limits that were reached."""

    def __init__(self, **most):
        self.limits = asyncio.Queue()
        self.fields = {"limits": Limits(**most), "over_limit": self.over}

    def over(self, listener, limit):
        assert listener.limits is not None
        self.limits.put_nowait(limit)


@pytest.mark.parametrize(
    ("most", "limit"), [({"connections": 2}, "connections"), ({"handshakes_per_second": 2}, "handshakes_per_second")]
)
@in_loop
async def test_one_connection_more_than_allowed_is_closed_before_tls(tmp_path, monkeypatch, most, limit):
    """Those that are open go on, and it is told once, not once a connection."""
    monkeypatch.setattr(served, "TELL_AGAIN", 3600.0)
    allowed = iter([True, True])
    monkeypatch.setattr(limits.Rate, "allow", lambda _: next(allowed, False))
    told = Told(**most)
    async with rigged(tmp_path, listener=told.fields) as rig, await rig.h2_client() as client:
        async with await rig.h2_client():
            for _ in range(5):
                reader, writer = await asyncio.open_connection(HOST, rig.port)
                assert await read_to_end(reader) == b""
                writer.close()
            async with asyncio.TaskGroup() as both:
                both.create_task(serve_one(rig, close=True))
                await call(client)
        assert told.limits.get_nowait() == limit
        assert told.limits.empty()


@pytest.mark.parametrize(
    ("most", "limit"), [({"connections": 1}, "connections"), ({"handshakes_per_second": 1}, "handshakes_per_second")]
)
@in_loop
async def test_connections_over_a_limit_are_passed_on_untouched(tmp_path, monkeypatch, most, limit):
    """Their clients speak with the server itself and nothing of it is recorded; one more than may be is closed."""
    allowed = iter([True])
    monkeypatch.setattr(limits.Rate, "allow", lambda _: next(allowed, False))
    told = Told(**most, passed_on=2)
    async with rigged(tmp_path, listener=told.fields, bare=True) as rig, await rig.h2_client():
        for _ in range(3):
            over = [await passed_on(rig) for _ in range(2)]
            reader, writer = await asyncio.open_connection(HOST, rig.port)
            assert await read_to_end(reader) == b""
            writer.close()
            for one in over:
                one.close()
            await eventually(lambda: rig.proxy.connections(rig.listener) == 1)
        assert told.limits.get_nowait() == limit
        assert rig.calls == []


@in_loop
async def test_what_is_more_than_allowed_is_accepted_slowly(tmp_path, monkeypatch):
    """Whoever connects again and again takes no time from others."""
    monkeypatch.setattr(acceptor, "CROWD_SECONDS", 3600.0)
    told = Told(connections=1)
    async with rigged(tmp_path, listener=told.fields) as rig, await rig.h2_client():
        for _ in range(2):  # the first was no crowd yet when the second was accepted
            with closing(socket.create_connection((HOST, rig.port))) as closed:
                closed.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(closed, 1) == b""
        with closing(socket.create_connection((HOST, rig.port))) as waiting:
            waiting.setblocking(False)
            await asyncio.sleep(0.05)
            with pytest.raises(BlockingIOError):
                waiting.recv(1)


async def passed_on(rig):
    """Open a connection whose bytes reach the server as they are, and come back; give the server's end of it."""
    reader, writer = await asyncio.open_connection(HOST, rig.port)
    server_reader, server_writer = await rig.next_streams()
    writer.write(b"no TLS at all")
    assert await server_reader.readexactly(13) == b"no TLS at all"
    server_writer.write(b"nor here")
    assert await reader.readexactly(8) == b"nor here"
    writer.close()
    return server_writer


def test_a_rate_allows_what_it_says_and_recovers(monkeypatch):
    """After a quiet second as many may come at once as are allowed in one, and never more."""
    now = 0.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rate = Rate(3)
    assert [rate.allow() for _ in range(4)] == [True, True, True, False]
    now = 0.34
    assert [rate.allow() for _ in range(2)] == [True, False]
    now = 100.0
    assert [rate.allow() for _ in range(4)] == [True, True, True, False]


@in_loop
async def test_one_stream_more_than_allowed_closes_the_connection(tmp_path):
    """The client has been told how many it may open, so it does not keep to the protocol."""
    told = Told(streams=2)
    async with rigged(tmp_path, listener=told.fields) as rig, await rig.h2_client() as client:
        client.request("GET", "/api/v1/pods?watch=1")
        async with await rig.next_h2() as server:
            await server.next_request()
            assert client.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] == 2
            client.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 100
            client.h2.remote_settings.acknowledge()
            client.request("GET", "/api/v1/nodes?watch=1")
            client.request("GET", "/api/v1/services?watch=1")
            await client.closed.wait()
        assert told.limits.get_nowait() == "streams"


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@in_loop
async def test_the_connection_that_holds_most_is_cut(tmp_path, protocol):
    """Answers that a client does not read are held; beyond the limit its connection ends, and no other."""
    told = Told(buffered_bytes=2**15)
    async with rigged(tmp_path, listener=told.fields, protocols=(protocol,)) as rig, await rig.h2_client() as good:
        if protocol == "h2":
            greedy = await rig.h2_client(reads=False)
            greedy.request("GET", "/api/v1/pods")
            server = await rig.next_h2()
            inner, _ = await server.next_request()
            server.respond(inner, end=False)
            await server.send_windowed(inner, b"x" * 2**21)
            close = greedy.close
        else:
            _, greedy = await rig.connect("http/1.1")
            greedy.transport.pause_reading()
            greedy.write(b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\n")
            reader, server = await rig.next_streams()
            await reader.readuntil(b"\r\n\r\n")
            server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 2**25)
            close = None
        assert await told.limits.get() == "buffered_bytes"
        assert rig.proxy.connections(rig.listener) <= 2
        await rig.recorded()
        assert rig.proxy.connections(rig.listener) == 1
        assert not good.closed.is_set()
        if close is None:
            greedy.transport.abort()
        else:
            await close()


@in_loop
async def test_it_is_looked_at_what_is_held_whenever_much_has_come(tmp_path, monkeypatch):
    """In a quarter of a second, after which it is looked in any case, a hundred megabytes may come."""
    monkeypatch.setattr(proxy, "BUFFER_CHECK", 3600.0)
    monkeypatch.setattr(served, "LOOK_AGAIN", 2**20)
    told = Told(buffered_bytes=2**19)
    async with rigged(tmp_path, listener=told.fields) as rig, await rig.h2_client(reads=False) as greedy:
        greedy.request("GET", "/api/v1/pods")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.respond(inner, end=False)
            await server.send_windowed(inner, b"x" * 2**21)
            assert await told.limits.get() == "buffered_bytes"


@in_loop
async def test_it_is_not_looked_at_connections_that_have_heard_nothing(tmp_path, monkeypatch):
    """Of which a pod may have thousands; one that has heard something is looked at, and only that."""
    monkeypatch.setattr(proxy, "BUFFER_CHECK", 3600.0)
    looks = []
    count = Driver.buffered
    monkeypatch.setattr(Driver, "buffered", lambda driver: looks.append(driver) or count(driver))
    async with rigged(tmp_path, listener=Told(buffered_bytes=30_000).fields) as rig:
        begun = [await half_a_head(rig) for _ in range(2)]
        await eventually(lambda: held(rig) >= 24_000)
        found = rig.proxy._served[rig.listener]
        found.check_buffers()
        looks.clear()
        found.check_buffers()
        assert looks == []
        begun[0].write(b"y" * 1_000)
        await eventually(lambda: held(rig) >= 25_000)
        looks.clear()
        found.check_buffers()
        assert len(looks) == 1
        for writer in begun:
            writer.transport.abort()


async def half_a_hello(rig):
    """Begin TLS with a message that will be large."""
    _, writer = await asyncio.open_connection(HOST, rig.port)
    writer.write(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + b"x" * 12_000)
    return writer


async def half_a_head(rig):
    """Begin a request of HTTP/1.1."""
    _, writer = await rig.connect("http/1.1")
    writer.write(b"GET /api HTTP/1.1\r\nX: " + b"y" * 12_000)
    return writer


async def half_a_block(rig):
    """Begin a request of HTTP/2, in frames that are complete."""
    _, writer = await rig.connect("h2")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
    writer.write(preface + (12_000).to_bytes(3) + b"\x01\x00\x00\x00\x00\x01" + b"x" * 12_000)
    return writer


async def half_a_frame(rig):
    """Announce a frame larger than any may be, and send a part of it."""
    _, writer = await rig.connect("h2")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
    writer.write(preface + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"x" * 12_000)
    return writer


async def a_watch(rig):
    """Leave a call with a large head open."""
    _, writer = await rig.connect("http/1.1")
    writer.write(b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 12_000 + b"\r\n\r\n")
    return writer


async def a_watch_of_http2(rig):
    """The same over HTTP/2."""
    client = await rig.h2_client()
    client.request("GET", "/api/v1/pods?watch=1", headers=[("x", "y" * 12_000)])
    return client._writer


@pytest.mark.parametrize(
    "begin",
    [half_a_hello, half_a_head, half_a_block, half_a_frame, a_watch, a_watch_of_http2],
    ids=lambda one: one.__name__,
)
@in_loop
async def test_what_clients_do_not_finish_counts_as_held(tmp_path, begin):
    """Many small beginnings take as much memory as one large answer: one more than the limit allows is cut."""
    told = Told(buffered_bytes=30_000)
    async with rigged(tmp_path, listener=told.fields) as rig:
        begun = [await begin(rig) for _ in range(2)]
        await eventually(lambda: held(rig) >= 24_000)
        rig.proxy._served[rig.listener].check_buffers()
        assert told.limits.empty()
        begun.append(await begin(rig))
        assert await told.limits.get() == "buffered_bytes"
        await eventually(lambda: rig.proxy.connections(rig.listener) == 2)
        for writer in begun:
            writer.transport.abort()


def held(rig):
    """Count what the connections of the rig hold."""
    return sum(driver.buffered() for driver in rig.proxy._served[rig.listener].drivers)


@in_loop
async def test_connections_of_one_listener_share_what_is_read_at_once():
    """Several that bring much get a part each, down to a TLS record; one alone gets all of it; small pieces nothing."""
    listener = Listener(socket=None, identity=None, upstream=Upstream(host=HOST, port=1), certificate=None)
    serving = served.Served(listener)

    async def turn(pieces):
        for size in pieces:
            serving.arrived(size)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return serving.arrived(1)

    whole, least = limits.READ_AT_ONCE, limits.READ_AT_LEAST
    assert await turn([whole]) == whole
    assert await turn([1000] * 500) == whole
    third = await turn([whole] * 3)
    assert third == whole // 3
    assert whole - 3 <= await turn([third] * 3) * 3 <= whole
    assert await turn([third] * 8) == least
    assert await turn([least] * 8) == least
    assert await turn([least]) == whole


@in_loop
async def test_the_ends_of_many_connections_are_heard_while_others_have_their_turn(tmp_path):
    """In order, some in each turn of the loop, and at once again when none is left."""
    async with rigged(tmp_path) as rig:
        found, heard = rig.proxy._served[rig.listener], []
        many = 2 * ENDS_AT_ONCE + 3
        for number in range(many):
            found.ended(partial(heard.append, number))
        assert heard == list(range(ENDS_AT_ONCE))
        await asyncio.sleep(0)
        found.ended(partial(heard.append, many))
        assert heard == list(range(2 * ENDS_AT_ONCE))
        await eventually(lambda: len(heard) == many + 1)
        assert heard == list(range(many + 1))
        await asyncio.sleep(0)
        found.ended(partial(heard.append, "one"))
        assert heard[-1] == "one"
