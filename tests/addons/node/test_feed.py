"""What the proxy hands to the viewer, and that it never waits for it."""

import asyncio
import contextlib
import stat

import pytest

from apisnoop_addons.bodies import Bodies
from apisnoop_addons.node import feed as feeding
from apisnoop_addons.node.feed import Feed
from apisnoop_addons.redact import Redact
from apisnoop_addons.web.wire import Copy, Loss, read_message
from tests.addons.engine.rig import CATALOGUE
from tests.addons.flows import make_flow, send
from tests.addons.web.viewing import made_flow
from tests.looped import eventually, in_loop


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def opened(tmp_path, calls_per_second=100, clock=None):
    """Give a feed and the addon that fills it."""
    feed = Feed(tmp_path / "feed.sock", calls_per_second, clock=clock or Clock())
    await feed.open()
    try:
        yield feed, Redact(feed.show, feed.wants)
    finally:
        feed.close()
        await asyncio.sleep(0)  # what was aborted is closed in the loop's next round


@contextlib.asynccontextmanager
async def viewer(feed):
    """Connect as the viewer does; give the reader."""
    before = feed._viewer
    reader, writer = await asyncio.open_unix_connection(feed._path)
    await eventually(lambda: feed._viewer is not before)
    try:
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def call(redact, path="/api/v1/nodes", **how):
    """Take a call through the addon."""
    flow = make_flow(path)
    send([redact], flow, **how)
    return flow


@in_loop
async def test_a_call_is_handed_on_when_its_answer_begins_and_when_it_is_over(tmp_path):
    """Both copies with the flow's own id."""
    async with opened(tmp_path) as (feed, redact), viewer(feed) as reader:
        flow = call(redact)
        copies = [await read_message(reader) for _ in range(2)]
        assert [copy.state["id"] for copy in copies] == [flow.id, flow.id]
        assert feed.left_out == 0


@in_loop
async def test_while_nobody_looks_no_copy_is_made(tmp_path):
    """Recording costs what it costs without a viewer; what is not looked at is no loss."""
    async with opened(tmp_path) as (feed, redact):
        flow = call(redact)
        assert feed.left_out == 0
        async with viewer(feed):
            assert feed.wants(flow), "nothing has been decided about it"


@in_loop
async def test_only_so_many_calls_a_second_are_shown_whole_and_the_rest_is_told(tmp_path, monkeypatch):
    """A call is shown from its beginning to its end, or not at all; how many were not, the viewer learns."""
    monkeypatch.setattr(feeding, "TELL_SECONDS", 0.05)
    clock = Clock()
    async with opened(tmp_path, 3, clock) as (feed, redact), viewer(feed) as reader:
        flows = [call(redact) for _ in range(5)]
        clock.now += 1 / 3
        flows.append(call(redact))
        copies = [await read_message(reader) for _ in range(8)]
        assert [copy.state["id"] for copy in copies] == [flows[i].id for i in (0, 0, 1, 1, 2, 2, 5, 5)]
        assert await read_message(reader) == Loss(2)
        call(redact)
        assert await read_message(reader) == Loss(1)
        assert feed.left_out == 3


@in_loop
async def test_a_viewer_that_does_not_read_costs_so_much_memory_and_no_time(tmp_path, monkeypatch):
    """What it has not taken stays bounded; what did not fit is told when it reads again."""
    monkeypatch.setattr(feeding, "MOST_WAITING", 200_000)
    monkeypatch.setattr(feeding, "TELL_SECONDS", 0.02)
    async with opened(tmp_path, 100_000) as (feed, redact), viewer(feed) as reader:
        for _ in range(2000):
            call(redact)
        waiting = feed._viewer.transport.get_write_buffer_size()
        assert 200_000 < waiting < 210_000
        assert feed.left_out > 1000
        told, copies = None, 0
        while not isinstance(told, Loss):
            told = await read_message(reader)
            copies += isinstance(told, Copy)
        assert told == Loss(feed.left_out)
        assert 2 * (2000 - feed.left_out) - 1 <= copies <= 2 * (2000 - feed.left_out) + 1


@in_loop
async def test_a_call_too_large_to_be_looked_at_is_left_out(tmp_path, monkeypatch):
    """The next one is shown."""
    async with opened(tmp_path) as (feed, redact), viewer(feed) as reader:
        large = make_flow("/api")
        large.request.headers["user-agent"] = "x"
        large.request.headers.fields += ((b"accept", b"y" * 999),) * 1200
        send([redact], large)
        small = call(redact)
        assert (await read_message(reader)).state["id"] == small.id
        assert feed.left_out == 2


@in_loop
async def test_a_viewer_that_comes_later_takes_the_earlier_ones_place(tmp_path):
    """As one does that was restarted before its end was noticed."""
    async with opened(tmp_path) as (feed, redact), viewer(feed) as first, viewer(feed) as second:
        assert await read_message(first) is None
        call(redact)
        assert isinstance(await read_message(second), Copy)


@in_loop
async def test_a_viewer_that_says_something_is_let_go(tmp_path):
    """It is only told things: nothing it says is read, whoever it may have become."""
    async with opened(tmp_path) as (feed, _):
        reader, writer = await asyncio.open_unix_connection(feed._path)
        writer.write(b"replay")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        await eventually(lambda: feed._viewer is None)
        writer.close()


@in_loop
async def test_a_viewer_that_goes_away_is_not_missed(tmp_path):
    """Calls go on, and another viewer may come."""
    async with opened(tmp_path) as (feed, redact):
        async with viewer(feed):
            pass
        await eventually(lambda: feed._viewer is None)
        call(redact)
        async with viewer(feed) as reader:
            call(redact)
            assert isinstance(await read_message(reader), Copy)


@in_loop
async def test_its_socket_is_for_its_group_and_survives_a_killed_proxy(tmp_path):
    """The file that an earlier proxy has left is replaced; at the end there is none."""
    async with opened(tmp_path) as (left, _):
        left._path.rename(tmp_path / "kept")
        (tmp_path / "kept").rename(left._path)
        async with opened(tmp_path) as (feed, _):
            assert stat.S_IMODE(feed._path.stat().st_mode) == 0o660
            async with viewer(feed):
                pass
    assert not feed._path.exists()


@in_loop
async def test_a_socket_that_cannot_be_made_stops_nobody_from_recording(tmp_path, caplog):
    """The log says why nothing is shown."""
    feed = Feed(tmp_path / "nowhere" / "feed.sock", 100)
    await feed.open()
    assert "nothing is shown: socket" in caplog.text
    assert not feed.wants(made_flow())
    feed.close()


@pytest.mark.parametrize("bodies", [False, True], ids=["no bodies", "bodies asked for"])
@in_loop
async def test_what_is_handed_on_holds_no_secret(tmp_path, bodies):
    """It is redacted before it leaves the proxy."""
    async with opened(tmp_path) as (feed, redact), viewer(feed) as reader:
        flow = make_flow(
            "/api/v1/namespaces/shop/secrets/db?apikey=planted", "PUT", {"Authorization": "Bearer planted"}
        )
        addons = [*([Bodies(CATALOGUE)] if bodies else []), redact]
        send(addons, flow, request=b"planted" * 2, response=b"planted" * 2, Set_Cookie="planted")
        for _ in range(2):
            assert "planted" not in str((await read_message(reader)).state)
