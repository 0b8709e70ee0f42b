"""Listeners come and go while the proxy runs, stop recording, and get new certificates."""

import asyncio
import dataclasses
import socket
from contextlib import suppress

import pytest
from cryptography import x509

from tests.addons.engine.calling import begin_watch, call, serve_one
from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import HOST, free_socket, key_pair, rigged
from tests.looped import in_loop


@in_loop
async def test_connections_outlive_their_listener(tmp_path):
    """A new connection is refused, an open one goes on, and when it has ended, that is told once."""
    drained = asyncio.Queue()
    async with rigged(tmp_path, listener={"drained": drained.put_nowait}) as rig:
        async with await rig.h2_client() as client:
            watch, server, inner = await begin_watch(rig, client)
            await rig.proxy.unlisten(rig.listener)
            assert rig.proxy.connections(rig.listener) == 1
            assert drained.empty()
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(HOST, rig.port)
            server.send(inner, b" more", end=True)
            assert await client.body(watch) == b"event more"
        assert await drained.get() is rig.listener
        assert rig.proxy.connections(rig.listener) == 0
    assert drained.empty()


@in_loop
async def test_a_listener_without_connections_is_drained_at_once(tmp_path):
    """There is nothing to wait for."""
    drained = []
    async with rigged(tmp_path, listener={"drained": drained.append}) as rig:
        await rig.proxy.unlisten(rig.listener)
        assert drained == [rig.listener]


@in_loop
async def test_a_listener_that_is_added_later_serves_beside_the_first(tmp_path):
    """Each has its own connections."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as first:
        bound = free_socket()
        second = dataclasses.replace(rig.listener, socket=bound)
        rig.port = bound.getsockname()[1]
        await rig.proxy.listen(second)
        async with await rig.h2_client() as client:
            for peer in (client, first):
                async with asyncio.TaskGroup() as both:
                    both.create_task(serve_one(rig, close=True))
                    await call(peer)
            assert rig.proxy.connections(second) == rig.proxy.connections(rig.listener) == 1
            await rig.proxy.unlisten(second, cut=True)
            await client.closed.wait()
        assert not first.closed.is_set()


@in_loop
async def test_what_is_switched_off_is_forwarded_and_not_recorded(tmp_path):
    """Calls in progress count as little as later ones, until it is on again."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch, server, inner = await begin_watch(rig, client)
        rig.listener.recording.on = False
        server.send(inner, b" end", end=True)
        assert await client.body(watch) == b"event end"
        await answered(client, server, "/api/v1/nodes")
        assert rig.calls == []
        rig.listener.recording.on = True
        await answered(client, server, "/api/v1/services")
        [kept] = await rig.recorded()
        assert kept.path == "/api/v1/services"


async def answered(client, server, path):
    stream = client.request("GET", path)
    inner, _ = await server.next_request()
    server.respond(inner, b"ok")
    assert await client.answer(stream) == (200, b"ok")


@in_loop
async def test_a_new_certificate_is_shown_from_the_next_handshake_on(tmp_path):
    """A connection that is open goes on with the old one."""
    shown = []
    async with rigged(tmp_path, listener={"certificate": lambda: shown[-1]}) as rig:
        shown.append(rig.certificate)
        async with await rig.h2_client() as client:
            shown.append(key_pair(rig.authority.issue("renewed", hosts=(HOST,))))
            _, writer = await rig.connect("h2")
            tls = writer.get_extra_info("ssl_object")
            seen = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True))
            assert seen == x509.load_pem_x509_certificate(shown[-1].certificate)
            writer.close()
            async with asyncio.TaskGroup() as both:
                both.create_task(serve_one(rig, close=True))
                await call(client)


@in_loop
async def test_connections_that_wait_to_be_accepted_outlive_their_listener(tmp_path):
    """What the kernel has connected before the listener goes is served like any other: its client saw no refusal."""
    drained = asyncio.Queue()
    async with rigged(tmp_path, listener={"drained": drained.put_nowait}) as rig:
        waiting = [socket.create_connection((HOST, rig.port)) for _ in range(3)]  # the loop has no turn meanwhile
        await rig.proxy.unlisten(rig.listener)
        context = rig.client_context("h2")
        for sock in waiting:
            streams = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=HOST)
            async with H2Peer(*streams, client=True) as client, asyncio.TaskGroup() as both:
                both.create_task(serve_one(rig, close=True))
                await call(client)
        assert await drained.get() is rig.listener
    assert drained.empty()


@in_loop
async def test_connections_that_wait_to_be_accepted_are_cut_with_the_others(tmp_path):
    """A listener that is cut leaves nobody waiting, and is drained."""
    drained = asyncio.Queue()
    async with rigged(tmp_path, listener={"drained": drained.put_nowait}) as rig:
        with socket.create_connection((HOST, rig.port)) as waiting:
            waiting.setblocking(False)
            await rig.proxy.unlisten(rig.listener, cut=True)
            with suppress(ConnectionError):
                assert await asyncio.get_running_loop().sock_recv(waiting, 1) == b""
        assert await drained.get() is rig.listener
