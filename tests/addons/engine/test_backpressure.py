"""Bodies pass on as they come, and no faster than they are taken."""

import asyncio

import pytest
from h2.events import DataReceived

from apisnoop_addons.engine.h2_connection import STREAM_WINDOW
from tests.addons.engine.rig import rigged
from tests.looped import in_loop

PIECE = 2**16


@in_loop
async def test_an_upload_reaches_the_server_before_its_end_http2(tmp_path):
    """Each piece arrives while the client still holds the next one back."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        stream = client.request("POST", "/api/v1/namespaces", end=False)
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            for number in range(1, 4):
                await client.send_windowed(stream, b"x" * PIECE)
                await server.received(inner, number * PIECE)
            client.send(stream, b"", end=True)
            assert len(await server.body(inner)) == 3 * PIECE
            server.respond(inner, status=201)
            assert await client.status(stream) == 201


@in_loop
async def test_an_upload_reaches_the_server_before_its_end_http1(tmp_path):
    """The same in chunks."""
    async with rigged(tmp_path, protocols=("http/1.1",)) as rig:
        reader, writer = await rig.connect("http/1.1")
        writer.write(b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        server_reader, server_writer = await rig.next_streams()
        await server_reader.readuntil(b"\r\n\r\n")
        for piece in (b"5\r\nfirst\r\n", b"6\r\nsecond\r\n", b"0\r\n\r\n"):
            writer.write(piece)
            assert await server_reader.readexactly(len(piece)) == piece
        server_writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


@in_loop
async def test_an_upload_waits_for_a_server_that_does_not_read_http2(tmp_path):
    """The client is stopped after a window's worth, and goes on when the server does."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        stream = client.request("POST", "/api/v1/namespaces", end=False)
        async with await rig.next_h2(reads=False) as server:
            inner, _ = await server.next_request()
            sent = await fill(client, stream)
            assert sent <= 2 * STREAM_WINDOW
            server.h2.increment_flow_control_window(2 * STREAM_WINDOW)
            server.h2.increment_flow_control_window(2 * STREAM_WINDOW, inner)
            server.flush()
            await client.send_windowed(stream, b"y" * PIECE)
            client.send(stream, b"", end=True)
            await server.expect_data(inner, sent + PIECE)
            assert sum(len(event.data or b"") for event in server.take(DataReceived, inner)) == sent + PIECE


async def fill(client, stream):
    """Send until nothing is taken for a while; return how much was."""
    sent = 0
    while sent < 8 * STREAM_WINDOW:
        try:
            async with asyncio.timeout(1):
                await client.send_windowed(stream, b"x" * PIECE)
        except TimeoutError:
            break
        sent += PIECE
    return sent


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@in_loop
async def test_an_answer_nobody_reads_is_not_gathered(tmp_path, protocol):
    """A client that never reads costs no more than its windows and buffers, however much the server has."""
    async with rigged(tmp_path, protocols=("http/1.1",)) as rig:
        if protocol == "h2":
            client = await rig.h2_client(reads=False)
            client.request("GET", "/api/v1/pods")
            close = client._writer.transport.abort
        else:
            _, writer = await rig.connect("http/1.1")
            writer.transport.pause_reading()
            writer.write(b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\n")
            close = writer.transport.abort
        reader, server = await rig.next_streams()
        await reader.readuntil(b"\r\n\r\n")
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        sent = 0
        while sent < 2**28:
            server.write(b"x" * 2**20)
            try:
                async with asyncio.timeout(1):
                    await server.drain()
            except TimeoutError:
                break
            sent += 2**20
        assert sent < 2**26
        close()
        if protocol == "h2":
            await client.close()
        await rig.recorded()
