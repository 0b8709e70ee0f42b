"""Clients that mean harm, or make no sense: their own calls fail at most."""

import asyncio

import pytest
from h2.events import DataReceived

from apisnoop_addons.engine.h2_connection import STREAM_WINDOW
from tests.addons.engine.calling import read_to_end
from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop


async def answer(rig, path="/api"):
    """Make a call that must go well."""
    async with await rig.h2_client() as client:
        stream = client.request("GET", path)
        async with await rig.next_h2() as server:
            inner, headers = await server.next_request()
            server.respond(inner, b"ok")
            assert await client.answer(stream) == (200, b"ok")
            return headers


@pytest.mark.parametrize("garbage", [b"\x00" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 9000])
@in_loop
async def test_garbage_in_place_of_tls_closes_that_connection_only(tmp_path, garbage):
    """Nothing is opened upstream for it, and the next client is served."""
    async with rigged(tmp_path) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(garbage)
        writer.write_eof()
        await reader.read(-1)
        writer.close()
        assert rig.accepted.empty()
        await answer(rig)


@in_loop
async def test_a_client_hello_without_an_end_is_given_up(tmp_path):
    """Nobody waits for the rest of it, and what has come of it is not read again and again."""
    async with rigged(tmp_path) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x00\x01x" * 100)
        assert await read_to_end(reader) == b""
        writer.close()
        assert rig.accepted.empty()
        await answer(rig)


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02\r\n\r\n", b"NOT HTTP\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"G" * (2**20 + 70_000)]
)
@in_loop
async def test_garbage_in_place_of_http1_is_refused(tmp_path, garbage):
    """It gets an error and a closed connection, and costs nobody else anything."""
    async with rigged(tmp_path) as rig:
        reader, writer = await rig.connect("http/1.1")
        writer.write(garbage)
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 4")
        writer.close()
        assert rig.accepted.empty()
        await answer(rig)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
    ],
)
@in_loop
async def test_ambiguous_framing_never_reaches_the_server(tmp_path, framing):
    """What two readers could take differently is request smuggling."""
    async with rigged(tmp_path) as rig:
        reader, writer = await rig.connect("http/1.1")
        writer.write(b"POST /api HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\nxxxxx")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 400")
        writer.close()
        assert rig.accepted.empty()


@in_loop
async def test_a_url_of_64_kilobytes_passes(tmp_path):
    """The server may refuse it; the proxy does not."""
    path = "/api/v1/pods?labelSelector=" + "x" * 64 * 1024
    async with rigged(tmp_path) as rig:
        assert (await answer(rig, path))[":path"] == path
        [call] = await rig.recorded()
        assert len(call.path) < 5000


@in_loop
async def test_nul_bytes_and_bad_encoding_are_recorded_harmlessly(tmp_path):
    """What is recorded can be printed and stored."""
    async with rigged(tmp_path) as rig:
        await answer(rig, "/api/v1/\x00\x1b[31m%zz%00")
        [call] = await rig.recorded()
        assert call.path.isprintable()


@in_loop
async def test_a_client_that_does_not_read_holds_only_its_own_stream_up(tmp_path):
    """The server is stopped after a window's worth; other calls of the same client go on, and it can resume."""
    async with rigged(tmp_path) as rig, await rig.h2_client(reads=False) as client:
        big = client.request("GET", "/api/v1/pods")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.respond(inner, end=False)
            sent = 0
            while server.h2.local_flow_control_window(inner) > 0 and sent < 4 * STREAM_WINDOW:
                await server.send_windowed(inner, b"x" * 2**16)
                sent += 2**16
                await asyncio.sleep(0)
            assert sent <= 2 * STREAM_WINDOW
            await client.expect_data(big, 65_535)
            client.h2.increment_flow_control_window(2**20)
            client.flush()
            small = client.request("GET", "/api/v1/nodes")
            other, _ = await server.next_request()
            server.respond(other, b"ok")
            assert (await client.answer(small)) == (200, b"ok")
            client.h2.increment_flow_control_window(2 * STREAM_WINDOW)
            client.h2.increment_flow_control_window(2 * STREAM_WINDOW, big)
            client.flush()
            server.send(inner, b"", end=True)
            await client.expect_data(big, sent)
            assert sum(len(event.data or b"") for event in client.take(DataReceived, big)) == sent
