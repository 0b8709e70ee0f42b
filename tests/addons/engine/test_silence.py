"""A server that is there for TCP and for nobody else: found out by asking, and told to the client, in bounded time."""

import pytest
from h2.events import PingReceived

from apisnoop_addons.engine import http2_client
from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import rigged
from tests.looped import in_loop


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Be less patient than in earnest."""
    monkeypatch.setattr(http2_client, "SILENCE", 0.2)
    monkeypatch.setattr(http2_client, "PATIENCE", 0.3)


class Mute(H2Peer):
    """A peer that does not answer any more when it is told so."""

    mute = False

    def flush(self):
        if not self.mute:
            super().flush()


@in_loop
async def test_a_server_that_answers_no_ping_is_given_up(tmp_path):
    """A watch on it ends as if the connection had been lost, so that its client begins another."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch = client.request("GET", "/api/v1/pods?watch=1")
        async with Mute(*await rig.next_streams(), client=False) as server:
            inner, _ = await server.next_request()
            server.respond(inner, b"event", end=False)
            await client.expect_data(watch, 5)
            server.mute = True
            await client.closed.wait()
        [call] = await rig.recorded()
        assert (call.status, call.error) == (200, "upstream-error")


@in_loop
async def test_a_quiet_server_that_answers_pings_is_kept(tmp_path):
    """A watch may be silent for hours."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch = client.request("GET", "/api/v1/pods?watch=1")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.respond(inner, b"event", end=False)
            await client.expect_data(watch, 5)
            for _ in range(3):
                await server.expect(PingReceived)
            server.send(inner, b" later", end=True)
            assert await client.body(watch) == b"event later"
