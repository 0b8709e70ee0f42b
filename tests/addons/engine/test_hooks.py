"""The order of hooks: what mitmproxy promises to addons."""

import asyncio
import logging

from mitmproxy.exceptions import AddonHalt

from tests.addons.engine.rig import rigged
from tests.addons.engine.watcher import Watcher
from tests.looped import in_loop

CALL = ["requestheaders", "request", "responseheaders", "response"]


async def served(rig, client, path="/a", body=b"ok"):
    stream = client.request("GET", path)
    async with await rig.next_h2() as server:
        inner, _ = await server.next_request()
        server.respond(inner, body)
        assert await client.answer(stream) == (200, body)


@in_loop
async def test_a_call_and_its_connections_are_heard_in_order(tmp_path):
    """Connections come before and after what passes over them; a call's four hooks keep their order."""
    watcher = Watcher()
    async with rigged(tmp_path, watcher) as rig, await rig.h2_client() as client:
        await served(rig, client)
    assert watcher.of("/a") == CALL
    heard = [name for name in watcher.of() if not name.startswith("tls_")]
    assert heard[:3] == ["client_connected", "server_connect", "server_connected"]
    assert sorted(heard[3:]) == ["client_disconnected", "server_disconnected"]


@in_loop
async def test_a_server_that_cannot_be_reached_has_one_hook_for_it(tmp_path):
    """It is server_connect_error, never server_connected, and the call ends with error."""
    watcher = Watcher()
    async with rigged(tmp_path, watcher, serve=False) as rig, await rig.h2_client() as client:
        client.request("GET", "/a")
        await client.closed.wait()
    assert watcher.of("/a") == ["requestheaders", "request", "error"]
    assert "server_connect_error" in watcher.of()
    assert "server_connected" not in watcher.of()


@in_loop
async def test_a_coroutine_holds_up_its_own_call_only(tmp_path):
    """Another call of the same connection goes by while one waits for an addon."""
    go_on = asyncio.Event()

    class Slow:
        async def requestheaders(self, flow):
            if flow.request.path == "/slow":
                await go_on.wait()

    watcher = Watcher()
    async with rigged(tmp_path, watcher, before=(Slow(),)) as rig, await rig.h2_client() as client:
        slow = client.request("GET", "/slow")
        fast = client.request("GET", "/fast")
        async with await rig.next_h2() as server:
            inner, headers = await server.next_request()
            assert headers[":path"] == "/fast"
            server.respond(inner, b"fast")
            assert await client.answer(fast) == (200, b"fast")
            assert watcher.of("/slow") == []
            go_on.set()
            inner, _ = await server.next_request()
            server.respond(inner, b"slow")
            assert await client.answer(slow) == (200, b"slow")
    assert watcher.of("/slow") == watcher.of("/fast") == CALL


@in_loop
async def test_a_failing_addon_stops_neither_the_call_nor_the_others(tmp_path, caplog):
    """It is logged by type and place, without its message, which may quote a secret."""

    class Broken:
        def requestheaders(self, _flow):
            raise ValueError("secret-in-a-message")

    watcher = Watcher()
    with caplog.at_level(logging.ERROR):
        async with rigged(tmp_path, watcher, before=(Broken(),)) as rig, await rig.h2_client() as client:
            await served(rig, client)
    assert watcher.of("/a") == CALL
    assert "ValueError" in caplog.text
    assert "secret-in-a-message" not in caplog.text


@in_loop
async def test_no_log_quotes_headers_however_much_is_logged(tmp_path, caplog):
    """HPACK's debugging messages hold every header, Authorization included."""
    with caplog.at_level(logging.DEBUG):
        async with rigged(tmp_path) as rig, await rig.h2_client() as client:
            client.request("GET", "/a", headers=[("authorization", "Bearer planted")])
            async with await rig.next_h2() as server:
                _, headers = await server.next_request()
                assert headers["authorization"] == "Bearer planted"
    assert "planted" not in caplog.text


@in_loop
async def test_halt_keeps_a_hook_from_the_addons_behind(tmp_path):
    """AddonHalt ends the round of one hook, not the call."""

    class Halting:
        def request(self, _flow):
            raise AddonHalt

    watcher = Watcher()
    async with rigged(tmp_path, watcher, before=(Halting(),)) as rig, await rig.h2_client() as client:
        await served(rig, client)
    assert watcher.of("/a") == ["requestheaders", "responseheaders", "response"]


@in_loop
async def test_update_follows_each_hook_about_a_flow(tmp_path):
    """Addons that show flows hear of every change, with a list of flows."""
    updates = []

    class Shown:
        def update(self, flows):
            updates.append([flow.request.path for flow in flows])

    async with rigged(tmp_path, Shown()) as rig, await rig.h2_client() as client:
        await served(rig, client)
    assert updates == [["/a"]] * 4
