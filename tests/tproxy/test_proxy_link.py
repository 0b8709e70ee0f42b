"""The agent's end of the wire: who is let in, and as whom."""

import asyncio
from contextlib import contextmanager

import pytest

from apisnoop.node.channel import Channel, connect
from apisnoop.node.messages import FROM_AGENT, VERSION, Beat, Hello, Leaving, Renewed
from apisnoop_tproxy import proxy_link
from apisnoop_tproxy.proxy_link import ProxyLink
from tests.looped import eventually, in_loop


class Noted:
    """A master that notes what it is told."""

    def __init__(self):
        self.told = []

    def joined(self, worker):
        self.told.append(("joined", worker.number))

    def hear(self, worker, message):
        self.told.append(("heard", worker.number, message))

    def lost(self, worker, reason):
        self.told.append(("lost", worker.number, reason))


class Caller:
    """Somebody who connects."""

    def __init__(self, path):
        self.heard = []
        self.closed = asyncio.get_running_loop().create_future()
        self.channel = Channel(connect(path), FROM_AGENT, lambda one, _: self.heard.append(one), self.closed.set_result)

    def say(self, *messages):
        for message in messages:
            self.channel.send(message)
        return self


@contextmanager
def linked(tmp_path):
    """Give the link, and what its master is told."""
    link, noted = ProxyLink(tmp_path / "agent.sock", frozenset()), Noted()
    link.start(noted)
    try:
        yield link, noted.told, lambda: Caller(tmp_path / "agent.sock")
    finally:
        link.close()


@in_loop
async def test_every_worker_has_a_channel_of_its_own(tmp_path):
    """The link is complete when all that there are have said who they are; all hear what is said to the proxy."""
    with linked(tmp_path) as (link, told, call):
        second = call().say(Hello(1, workers=2))
        await eventually(lambda: told == [("joined", 1)])
        assert (link.connected, link.complete) == (True, False)
        first = call().say(Hello(0, workers=2))
        await eventually(lambda: link.complete)
        link.say(Renewed(1.0))
        await eventually(lambda: first.heard == second.heard == [Renewed(1.0)])
        first.say(Beat(0.1))
        await eventually(lambda: told[2:] == [("heard", 0, Beat(0.1))])
        second.channel.close()
        await eventually(lambda: told[3:] == [("lost", 1, "the other side has gone")])
        assert link.workers == {0}


@in_loop
async def test_another_with_the_same_number_comes_in_its_place(tmp_path):
    """The other workers stay."""
    with linked(tmp_path) as (link, told, call):
        kept, replaced = call().say(Hello(0, workers=2)), call().say(Hello(1, workers=2))
        await eventually(lambda: link.complete)
        call().say(Hello(1, workers=2))
        await eventually(lambda: len(told) == 4)
        assert told[2:] == [("lost", 1, "another proxy has connected"), ("joined", 1)]
        await replaced.closed
        assert not kept.closed.done()


@in_loop
async def test_workers_of_another_proxy_come_in_place_of_all(tmp_path):
    """Whoever says that there are more or fewer of them is no fellow of those that are there."""
    with linked(tmp_path) as (link, told, call):
        for number in (0, 1):
            call().say(Hello(number, workers=2))
        await eventually(lambda: link.complete)
        call().say(Hello())
        await eventually(lambda: told[-1] == ("joined", 0))
        assert {one[:2] for one in told[2:4]} == {("lost", 0), ("lost", 1)}
        assert link.complete


@in_loop
@pytest.mark.parametrize(
    "words",
    [
        (Hello(version=VERSION + 1),),
        (Hello(2, workers=2),),
        (Hello(-1),),
        (Hello(0, workers=proxy_link.MOST_WORKERS + 1),),
    ],
)
async def test_who_can_be_no_worker_is_not_let_in(tmp_path, words):
    """Another version of the wire, or a number that cannot be, ends the channel, and the master hears nothing of it."""
    with linked(tmp_path) as (link, told, call):
        await call().say(*words).closed
        assert (told, link.connected) == ([], False)


@in_loop
async def test_who_says_twice_who_it_is_is_let_go(tmp_path):
    """Its first words said that it has no enrolments; now it may have some."""
    with linked(tmp_path) as (_, told, call):
        await call().say(Hello(), Hello()).closed
        assert told == [("joined", 0), ("lost", 0, "it has said before who it is")]


@in_loop
async def test_who_has_not_said_who_it_is_is_not_heard(tmp_path, monkeypatch):
    """And there are only so many of them at a time: each holds a descriptor."""
    monkeypatch.setattr(proxy_link, "MOST_WORKERS", 3)
    with linked(tmp_path) as (link, told, call):
        silent = [call().say(Leaving()) for _ in range(4)]
        await silent[0].closed
        silent[3].say(Hello())
        await eventually(lambda: told == [("joined", 0)])
        assert link.connected
        assert not any(one.closed.done() for one in silent[1:])
