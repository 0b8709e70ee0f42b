"""Whoever accepts a connection and then says nothing is given up, and what is set up may be silent for ever."""

import pytest
from h2.events import StreamReset

from apisnoop_addons.engine.proxy_tunnel import ProxyTunnel
from apisnoop_addons.engine.tls_layer import ServerTls
from tests.addons.engine.calling import read_to_end
from tests.addons.engine.forwarding import forwarding
from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop

LIMIT = 0.2
ENOUGH = 2.0
"""Seconds in which a busy machine, too, has set up TLS."""


@pytest.fixture
def short(monkeypatch):
    """Be less patient than in earnest."""
    monkeypatch.setattr(ServerTls, "patience", LIMIT)


@in_loop
async def test_a_server_that_accepts_and_says_nothing_is_given_up(tmp_path, short):
    """The call ends as if the connection had been lost, its reason is told, and the server's socket is closed."""
    async with rigged(tmp_path, bare=True) as rig, await rig.h2_client() as client:
        client.request("GET", "/api/v1/pods")
        reader, _ = await rig.next_streams()
        assert (await read_to_end(reader))[:1] == b"\x16", "no ClientHello"
        await client.closed.wait()
        [call] = await rig.recorded()
        assert (call.status, call.error) == (0, "upstream-error")
        assert rig.failures == ["timed out"]


@in_loop
async def test_an_open_watch_lives_on_while_another_connection_is_given_up(tmp_path, monkeypatch):
    """It is older than the limit by then, and has been silent for as long."""
    monkeypatch.setattr(ServerTls, "patience", ENOUGH)
    async with rigged(tmp_path, bare=True) as rig, await rig.h2_client() as client:
        watch = client.request("GET", "/api/v1/pods?watch=1")
        reader, writer = await rig.next_streams()
        await writer.start_tls(rig.server_context)
        async with H2Peer(reader, writer, client=False) as server:
            inner, _ = await server.next_request()
            server.respond(inner, b"event", end=False)
            await client.expect_data(watch, 5)
            server.go_away(inner)
            server.send(inner, b" event")
            await client.expect_data(watch, 11)
            lost = client.request("GET", "/api/v1/nodes")
            await rig.next_streams()
            await client.expect(StreamReset, lost)
            server.send(inner, b" later", end=True)
            assert await client.body(watch) == b"event event later"
        assert sorted(call.error for call in await rig.recorded(2)) == ["", "upstream-error"]


@pytest.mark.parametrize(("scheme", "silent_at"), [("http", "connect"), ("socks5", "greeting"), ("socks5", "connect")])
@in_loop
async def test_a_proxy_that_says_nothing_is_given_up(tmp_path, monkeypatch, scheme, silent_at):
    """The reason names the proxy: nothing is wrong with the server."""
    monkeypatch.setattr(ProxyTunnel, "patience", LIMIT)
    async with (
        forwarding(scheme, answers={silent_at: b""}) as proxy,
        rigged(tmp_path, upstream={"proxy_url": f"{scheme}://{HOST}:{proxy.port}"}) as rig,
        await rig.h2_client() as client,
    ):
        client.request("GET", "/api/v1/pods")
        await client.closed.wait()
        assert rig.failures == ["the proxy does not answer"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@in_loop
async def test_a_server_behind_a_proxy_that_says_nothing_is_given_up(tmp_path, short, scheme):
    """The tunnel is there, and the server's own limit counts inside of it."""
    async with (
        forwarding(scheme) as proxy,
        rigged(tmp_path, bare=True, upstream={"proxy_url": f"{scheme}://{HOST}:{proxy.port}"}) as rig,
        await rig.h2_client() as client,
    ):
        client.request("GET", "/api/v1/pods")
        reader, _ = await rig.next_streams()
        assert await read_to_end(reader)
        await client.closed.wait()
        assert rig.failures == ["timed out"]


@in_loop
async def test_a_silent_https_proxy_is_given_up(tmp_path, short):
    """TLS with the proxy has the limit, too, and the reason says that it is the proxy's."""
    async with (
        forwarding("http", answers={"connect": b""}) as proxy,  # reads the ClientHello, and waits for an end to it
        rigged(tmp_path, upstream={"proxy_url": f"https://{HOST}:{proxy.port}"}) as rig,
        await rig.h2_client() as client,
    ):
        client.request("GET", "/api/v1/pods")
        await client.closed.wait()
        assert rig.failures == ["TLS with the proxy: timed out"]
