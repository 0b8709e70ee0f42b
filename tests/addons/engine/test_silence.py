"""A server that is there for TCP and for nobody else: found out by asking, and told to the client, in bounded time."""

import pytest
from h2.events import PingReceived

from apisnoop_addons.engine import http2_client
from tests.addons.engine.calling import begin_watch
from tests.addons.engine.rig import rigged
from tests.looped import in_loop


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Be less patient than in earnest, and more than a busy machine is late."""
    monkeypatch.setattr(http2_client, "SILENCE", 0.2)
    monkeypatch.setattr(http2_client, "PATIENCE", 1.5)


@in_loop
async def test_a_server_that_answers_no_ping_is_given_up(tmp_path):
    """A watch on it ends as if the connection had been lost, so that its client begins another."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        _, server, _ = await begin_watch(rig, client)
        server.flush = lambda: None  # it reads on, and answers nothing
        await client.closed.wait()
        [call] = await rig.recorded()
        assert (call.status, call.error) == (200, "upstream-error")


@in_loop
async def test_a_quiet_server_that_answers_pings_is_kept(tmp_path):
    """A watch may be silent for hours."""
    async with rigged(tmp_path) as rig, await rig.h2_client() as client:
        watch, server, inner = await begin_watch(rig, client)
        for _ in range(2):  # the second comes when there has been time enough to answer the first
            await server.expect(PingReceived)
        server.send(inner, b" later", end=True)
        assert await client.body(watch) == b"event later"
