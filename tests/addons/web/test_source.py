"""How the viewer gets what it shows."""

import asyncio

import pytest

from apisnoop_addons.web import source
from apisnoop_addons.web.source import follow
from apisnoop_addons.web.wire import Loss, encode_loss
from tests.looped import eventually, in_loop


@pytest.fixture
def told(monkeypatch):
    """What was taken; the proxy is looked for again without delay."""
    monkeypatch.setattr(source, "RETRY_SECONDS", 0.01)
    return []


@in_loop
async def test_a_proxy_that_comes_late_or_again_is_followed(tmp_path, told):
    """Viewer and proxy may start in any order, and each be restarted."""
    feed = tmp_path / "feed.sock"
    following = asyncio.create_task(follow(feed, told.append))
    for number in range(3):

        async def hand_out(_reader, writer, number=number):
            writer.write(encode_loss(Loss(number)))
            writer.close()

        server = await asyncio.start_unix_server(hand_out, feed)
        await eventually(lambda number=number: Loss(number) in told)
        server.close()
    following.cancel()


@in_loop
async def test_nonsense_ends_the_connection_and_not_the_viewer(tmp_path, told, caplog):
    """It says so, and looks for the proxy again."""
    pieces = [b"nonsense:", encode_loss(Loss(1))]

    async def hand_out(_reader, writer):
        writer.write(pieces.pop(0) if pieces else b"")
        writer.close()

    async with await asyncio.start_unix_server(hand_out, tmp_path / "feed.sock"):
        following = asyncio.create_task(follow(tmp_path / "feed.sock", told.append))
        await eventually(lambda: told)
        following.cancel()
    assert told[0] == Loss(1)
    assert "what the proxy sends cannot be read" in caplog.text
