"""Pods that are recorded no more: what becomes of connections that are open, on their way, or late."""

import asyncio
import ssl
import time
from contextlib import suppress

import pytest

from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.messages import Drained, Leaving, Renewed, Retire
from apisnoop_addons.node import pods as pods_module
from tests.addons.node.played_node import ANSWER, enrolled, shown_by
from tests.looped import eventually, in_loop


@in_loop
async def test_a_retired_pod_keeps_its_connections_unrecorded(tmp_path):
    """What is open goes on until its client ends it; then the agent hears that the table may go."""
    async with enrolled(tmp_path) as one:
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1))
        await eventually(lambda: one.records.ended)
        assert await one.get(reader, writer) == ANSWER
        writer.close()
        assert await one.heard.get() == Drained(1)
    assert one.records.ended == [("web-0", "off")]
    assert len(one.calls) == 1


@in_loop
async def test_who_comes_just_after_a_pod_is_retired_is_passed_through(tmp_path, monkeypatch):
    """What was on its way when the agent emptied its set is neither refused nor looked into."""
    monkeypatch.setattr(pods_module, "LINGER_SECONDS", 3600)
    async with enrolled(tmp_path) as one:
        before = await one.connect()
        assert shown_by(before[1]) == "proxy"
        one.agent.send(Retire(1))
        await eventually(lambda: one.records.ended)
        late = await one.connect()
        assert shown_by(late[1]) == "server"
        assert await one.get(*late) == ANSWER
        assert one.asked == 1, "nobody needs to know which container it is of"
        for _, writer in (before, late):
            writer.close()
    assert not one.calls


@in_loop
async def test_a_while_after_a_pod_is_retired_nobody_listens(tmp_path, monkeypatch):
    """The agent hears that no connection is left and none will come."""
    monkeypatch.setattr(pods_module, "LINGER_SECONDS", 0.01)
    async with enrolled(tmp_path) as one:
        one.agent.send(Retire(1))
        assert await one.heard.get() == Drained(1)
        with pytest.raises(ConnectionRefusedError):
            await one.connect()


@in_loop
async def test_who_is_about_to_be_admitted_when_a_pod_is_retired_is_passed_through(tmp_path):
    """The agent's answer comes after its order."""
    async with enrolled(tmp_path) as one:
        one.before_identified = lambda: one.agent.send(Retire(1))
        reader, writer = await one.connect()
        assert shown_by(writer) == "server"
        assert await one.get(reader, writer) == ANSWER
        writer.close()


@in_loop
async def test_what_a_retired_pod_still_has_is_cut_when_it_ends(tmp_path):
    """Its namespace must not outlive it, and nobody is left who could come late."""
    async with enrolled(tmp_path) as one:
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1))
        one.agent.send(Retire(1, cut=True, reason=POD_ENDED))
        with suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        assert await one.heard.get() == Drained(1)
        writer.close()
    assert one.records.ended == [("web-0", "off")]


@in_loop
async def test_cut_means_cut(tmp_path):
    """A pod that is let go at once has its connections closed."""
    async with enrolled(tmp_path) as one:
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1, cut=True, reason="overload"))
        with suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        assert await one.heard.get() == Drained(1)
        writer.close()
    assert one.records.ended == [("web-0", "overload")]


@in_loop
async def test_a_proxy_that_ends_has_nothing_new_led_to_it_first(tmp_path):
    """It asks, and its listeners stay until the agent has answered; a lost agent is an answer, too."""
    async with enrolled(tmp_path) as one:
        leaving = asyncio.create_task(one.pods.leave())
        assert await one.heard.get() == Leaving()
        assert not leaving.done()
        one.agent.send(Renewed(time.time(), "the proxy ends"))
        await leaving
        leaving = asyncio.create_task(one.pods.leave())
        assert await one.heard.get() == Leaving()
        one.agent.close()
        await leaving
