"""GOAWAY, refused streams and lost connections: what the server has not acted on is sent again, and nothing else is."""

import asyncio

import pytest
from h2.errors import ErrorCodes
from h2.events import ResponseReceived, StreamReset

from tests.addons.engine.calling import begin_watch, read_to_end
from tests.addons.engine.rig import rigged
from tests.looped import in_loop


@in_loop
async def test_a_call_in_progress_ends_on_the_old_connection(tmp_path):
    """GOAWAY with the stream's own number lets it go on, and its answer arrives whole."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch, server, inner = await begin_watch(rig, client)
        assert await client.status(watch) == 200
        server.go_away(inner)
        server.send(inner, b" second", end=True)
        assert await client.body(watch) == b"event second"
        await server.closed.wait()
        [call] = await rig.recorded()
        assert (call.status, call.error) == (200, "")


@in_loop
async def test_calls_after_goaway_take_a_new_connection(tmp_path):
    """While an old call goes on, the next one is served by another connection."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch, old, inner = await begin_watch(rig, client)
        old.go_away(inner)
        old.send(inner, b" event")
        await client.expect_data(watch, len(b"event event"))
        stream = client.request("GET", "/api/v1/nodes")
        async with await rig.next_h2() as new:
            inner_new, headers = await new.next_request()
            assert headers[":path"] == "/api/v1/nodes"
            new.respond(inner_new, b"nodes")
            assert await client.answer(stream) == (200, b"nodes")
            old.send(inner, b" end", end=True)
            assert (await client.body(watch)).endswith(b" end")


@pytest.mark.parametrize("method", ["GET", "POST"])
@in_loop
async def test_an_unprocessed_call_is_sent_again_with_its_body(tmp_path, method):
    """A stream above GOAWAY's number was not acted on, so any method may be sent again; the client notices nothing."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        first = client.request("GET", "/api")
        async with await rig.next_h2() as old:
            served, _ = await old.next_request()
            old.respond(served, b"ok")
            assert await client.answer(first) == (200, b"ok")
            stream = client.request(method, "/api/v1/namespaces", body=b"x" * 70_000)
            await old.next_request()
            old.go_away(served)
            async with await rig.next_h2() as new:
                inner, headers = await new.next_request()
                assert headers[":method"] == method
                assert await new.body(inner) == b"x" * 70_000
                new.respond(inner, b"created", status=201)
                assert await client.answer(stream) == (201, b"created")
        assert [call.error for call in await rig.recorded(2)] == ["", ""]


@in_loop
async def test_a_refused_stream_is_sent_again(tmp_path):
    """REFUSED_STREAM promises that nothing was done (RFC 9113 section 8.7)."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        stream = client.request("POST", "/api/v1/namespaces", body=b"body")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.reset(inner, ErrorCodes.REFUSED_STREAM)
            inner, _ = await server.next_request()
            assert await server.body(inner) == b"body"
            server.respond(inner, status=201)
            assert await client.status(stream) == 201


@in_loop
async def test_what_cannot_be_sent_again_is_refused_so_that_the_client_does_it(tmp_path):
    """A body too large to be kept is not lost silently: the client gets the server's own promise."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        stream = client.request("POST", "/api/v1/namespaces", end=False)
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            for _ in range(20):
                await client.send_windowed(stream, b"x" * 2**16)
            await server.received(inner, 20 * 2**16)
            server.go_away(0)
            reset = await client.expect(StreamReset, stream)
        assert reset.error_code == ErrorCodes.REFUSED_STREAM
        [call] = await rig.recorded()
        assert (call.status, call.error) == (0, "upstream-error")


@in_loop
async def test_an_idempotent_call_survives_a_connection_closed_for_idleness(tmp_path):
    """A GET that met a closing keep-alive connection is sent again over a fresh one."""
    async with rigged(tmp_path, protocols=("http/1.1",)) as rig:
        reader, writer = await rig.connect("http/1.1")
        first_reader, first_writer = await serve_one(rig, reader, writer)
        writer.write(b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n")
        await first_reader.readuntil(b"\r\n\r\n")
        first_writer.close()
        second_reader, second_writer = await rig.next_streams()
        assert (await second_reader.readuntil(b"\r\n\r\n")).startswith(b"GET /api/v1/nodes")
        second_writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("head", [b"POST /api/v1/namespaces", b"DELETE /api/v1/namespaces/x"])
@in_loop
async def test_a_call_that_may_have_been_acted_on_is_not_sent_again(tmp_path, head):
    """The client's connection is closed instead, as the server's was, and no answer is made up."""
    async with rigged(tmp_path, protocols=("http/1.1",)) as rig:
        reader, writer = await rig.connect("http/1.1")
        first_reader, first_writer = await serve_one(rig, reader, writer)
        writer.write(head + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await first_reader.readuntil(b"\r\n\r\n")
        first_writer.close()
        assert await read_to_end(reader) == b""
        assert rig.accepted.empty()
        assert (await rig.recorded(2))[1].error == "upstream-error"
        writer.close()


@in_loop
async def test_a_shell_is_not_opened_twice(tmp_path):
    """A GET that asks for an upgrade is not sent again: the command may have run."""
    async with rigged(tmp_path, protocols=("http/1.1",)) as rig:
        reader, writer = await rig.connect("http/1.1")
        first_reader, first_writer = await serve_one(rig, reader, writer)
        writer.write(
            b"GET /api/v1/namespaces/a/pods/b/exec?command=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"
        )
        await first_reader.readuntil(b"\r\n\r\n")
        first_writer.close()
        assert await read_to_end(reader) == b""
        assert rig.accepted.empty()
        writer.close()


@in_loop
async def test_a_lost_server_closes_the_clients_http2_connection_too(tmp_path):
    """A watch then ends as it would have without a proxy, not with an error of its stream."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        _, server, _ = await begin_watch(rig, client)
        await server.close()
        await client.closed.wait()
        assert client.take(StreamReset) == []
        [call] = await rig.recorded()
        assert (call.status, call.error) == (200, "upstream-error")


@in_loop
async def test_losing_one_connection_leaves_calls_on_another_alone(tmp_path):
    """Only the lost call is reset while a draining connection still serves a watch."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch, old, inner = await begin_watch(rig, client)
        old.go_away(inner)
        stream = client.request("POST", "/api/v1/namespaces")
        other = client.request("POST", "/api/v1/namespaces")
        new = await rig.next_h2()
        await new.next_request()
        await new.next_request()
        await new.close()
        resets = [await client.expect(StreamReset, lost) for lost in (stream, other)]
        assert {reset.error_code for reset in resets} == {ErrorCodes.INTERNAL_ERROR}
        old.send(inner, b" end", end=True)
        assert await client.body(watch) == b"event end"


@in_loop
async def test_resets_of_the_server_keep_their_code(tmp_path):
    """A client sees the server's own reason."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        stream = client.request("GET", "/api")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.reset(inner, ErrorCodes.ENHANCE_YOUR_CALM)
            assert (await client.expect(StreamReset, stream)).error_code == ErrorCodes.ENHANCE_YOUR_CALM


@in_loop
async def test_a_full_connection_gets_company(tmp_path):
    """More calls than the server allows on one connection are served by a second one, not queued for ever."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        first = client.request("GET", "/api/v1/pods?watch=1")
        async with await rig.next_h2(settings={3: 1}) as server:  # MAX_CONCURRENT_STREAMS
            inner, _ = await server.next_request()
            server.respond(inner, b"event", end=False)
            await client.status(first)
            second = client.request("GET", "/api/v1/nodes?watch=1")
            async with await rig.next_h2() as other:
                inner, _ = await other.next_request()
                other.respond(inner, b"event", end=False)
                assert (await client.expect(ResponseReceived, second)).headers[0][1] == "200"


async def serve_one(rig, reader, writer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Let the client make one call, and return the server's end of the connection that served it."""
    writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
    server_reader, server_writer = await rig.next_streams()
    await server_reader.readuntil(b"\r\n\r\n")
    server_writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await reader.readuntil(b"ok")
    return server_reader, server_writer
