"""Browsers that look on cost no more than they may."""

import asyncio
import json

from apisnoop_addons.web import updates
from apisnoop_addons.web.updates import Updates
from tests.addons.web.viewing import copied, looking_on, made_flow, viewing
from tests.looped import in_loop


@in_loop
async def test_one_that_does_not_listen_is_let_go_and_the_others_are_not(tmp_path, monkeypatch):
    """What waits for it is dropped; mitmweb would keep it for ever."""
    monkeypatch.setattr(updates, "MOST_WAITING", 100_000)

    async def stuck(_message):
        await asyncio.Event().wait()

    async with viewing(tmp_path) as looker, looking_on(looker):
        [deaf] = Updates.connections
        monkeypatch.setattr(deaf, "write_message", stuck)  # as when nobody reads at the other end
        async with looking_on(looker) as heard:
            for number in range(200):
                looker.viewer.take(copied(made_flow(f"/api/v1/nodes/{number}")))
                assert json.loads(await heard.read_message())["type"] == "flows/add"
            assert deaf not in Updates.connections
            assert deaf._send_queue.empty()


@in_loop
async def test_there_are_only_so_many(tmp_path, monkeypatch):
    """One more is sent away with the reason; the others look on."""
    monkeypatch.setattr(updates, "MOST_BROWSERS", 1)
    async with viewing(tmp_path) as looker, looking_on(looker) as first:
        async with looking_on(looker) as second:
            assert await second.read_message() is None
            assert (second.close_code, second.close_reason) == (updates.TOO_MANY, "too many browsers look on")
        looker.viewer.take(copied(made_flow()))
        assert json.loads(await first.read_message())["type"] == "flows/add"


@in_loop
async def test_they_are_told_when_the_viewer_ends(tmp_path):
    """The page says that it is no longer connected."""
    async with viewing(tmp_path) as looker, looking_on(looker) as browser:
        await looker.viewer.close()
        assert await browser.read_message() is None
        assert browser.close_code == updates.GOING_AWAY
