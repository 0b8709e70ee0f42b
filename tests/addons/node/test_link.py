"""The proxy's end of the wire to the node agent."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest

from apisnoop.calls.caller import Caller
from apisnoop.node.channel import Channel, listen
from apisnoop.node.messages import (
    FROM_PROXY,
    Destinations,
    Dial,
    Dialled,
    Enrol,
    Enrolled,
    Hello,
    Identified,
    Identify,
    Renewed,
    Retire,
)
from apisnoop_addons.node import link as link_module
from apisnoop_addons.node.link import AgentLink
from tests.looped import in_loop

API = ("10.96.0.1", 443)
POD = ("10.244.1.2", 40000)


class Agent:
    """An agent that says what the test wants."""

    def __init__(self, path):
        self._listening = listen(path)
        self.heard = asyncio.Queue()
        self.channel = None

    async def accept(self):
        """Take the next proxy."""
        sock, _ = await asyncio.get_running_loop().sock_accept(self._listening)
        self.channel = Channel(sock, FROM_PROXY, lambda message, _: self.heard.put_nowait(message), lambda _: None)
        assert await self.heard.get() == Hello()

    def close(self):
        """Be gone, and leave the socket's file behind."""
        if self.channel:
            self.channel.close()
        self._listening.close()


class Noted:
    """A carrier that notes its orders."""

    def __init__(self):
        self.orders = asyncio.Queue()

    def destine(self, addresses):
        self.orders.put_nowait(("destine", tuple(addresses)))

    def enrol(self, order, sockets):
        ports = [sock.getsockname()[1] for sock in sockets]
        self.orders.put_nowait(("enrol", order.enrolment, order.caller.pod, ports))
        for sock in sockets:
            sock.close()

    def retire(self, order):
        self.orders.put_nowait(("retire", order.enrolment))

    def renewed(self, until, why):
        self.orders.put_nowait(("renewed", until, why) if why else ("renewed", until))

    def lost(self, reason):
        self.orders.put_nowait(("lost", reason))


@asynccontextmanager
async def linked(tmp_path):
    """Give an agent, the link to it, and what the carrier is told."""
    agent, link, noted = Agent(tmp_path / "agent.sock"), AgentLink(tmp_path / "agent.sock"), Noted()
    running = asyncio.create_task(link.run(noted))
    await agent.accept()
    try:
        yield agent, link, noted.orders
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        agent.close()


@in_loop
async def test_orders_reach_the_carrier(tmp_path):
    """What the agent orders is carried out in its order, with the sockets it hands over."""
    async with linked(tmp_path) as (agent, _, orders):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            agent.channel.send(Destinations((API,)))
            agent.channel.send(Enrol(1, Caller(pod="web-0")), [listening])
            agent.channel.send(Renewed(5.0))
            agent.channel.send(Renewed(6.0, "overload"))
            agent.channel.send(Retire(1))
            assert [await orders.get() for _ in range(5)] == [
                ("destine", (API,)),
                ("enrol", 1, "web-0", [port]),
                ("renewed", 5.0),
                ("renewed", 6.0, "overload"),
                ("retire", 1),
            ]


@in_loop
async def test_what_the_proxy_says_reaches_the_agent(tmp_path):
    """Answers and news go the other way."""
    async with linked(tmp_path) as (agent, link, _):
        link.say(Enrolled(1))
        assert await agent.heard.get() == Enrolled(1)


@in_loop
async def test_questions_get_their_own_answers(tmp_path):
    """Answers may come in any order; each goes to who has asked."""
    async with linked(tmp_path) as (agent, link, _):
        asked = [asyncio.create_task(link.identify(1, POD, API)) for _ in range(2)]
        first, second = await agent.heard.get(), await agent.heard.get()
        assert first == Identify(first.question, 1, POD, API)
        agent.channel.send(Identified(second.question, "sidecar"))
        agent.channel.send(Identified(first.question, "app"))
        assert [(await task).container for task in asked] == ["app", "sidecar"]


@in_loop
async def test_a_pod_that_asks_much_keeps_no_other_waiting(tmp_path):
    """Another's question reaches the agent after a few; the rest follow as they are answered."""
    async with linked(tmp_path) as (agent, link, _), asyncio.TaskGroup() as asking:
        much = [asking.create_task(link.identify(1, (POD[0], port), API)) for port in range(100)]
        other = asking.create_task(link.identify(2, POD, API))
        for answered in range(len(much) + 1):
            question = await agent.heard.get()
            if question.enrolment == 2:
                assert answered <= link_module.MOST_QUESTIONS
            agent.channel.send(Identified(question.question, f"of {question.enrolment}"))
    assert {(await one).container for one in much} == {"of 1"}
    assert (await other).container == "of 2"


@in_loop
async def test_a_dialled_socket_is_the_agents(tmp_path):
    """The socket that comes with the answer can be used, and does not block."""
    async with linked(tmp_path) as (agent, link, _):
        dialling = asyncio.create_task(link.dial(1, API))
        question = await agent.heard.get()
        assert question == Dial(question.question, 1, API)
        near, far = socket.socketpair()
        agent.channel.send(Dialled(question.question), [far])
        far.close()
        with await dialling as sock, near:
            assert not sock.getblocking()
            sock.send(b"x")
            assert near.recv(1) == b"x"


@in_loop
async def test_a_refused_dial_says_why(tmp_path):
    """The agent's reason is in the error."""
    async with linked(tmp_path) as (agent, link, _):
        dialling = asyncio.create_task(link.dial(1, API))
        agent.channel.send(Dialled((await agent.heard.get()).question, "the pod has gone"))
        with pytest.raises(OSError, match="the pod has gone"):
            await dialling


@in_loop
async def test_a_silent_agent_fails_only_the_question(tmp_path, monkeypatch):
    """A question without an answer ends after its time; a socket that comes too late is closed."""
    for seconds in ("IDENTIFY_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(link_module, seconds, 0.05)
    async with linked(tmp_path) as (agent, link, orders):
        assert (await link.identify(1, POD, API)).container == ""
        with pytest.raises(TimeoutError):
            await link.dial(1, API)
        await agent.heard.get()
        late = await agent.heard.get()
        near, far = socket.socketpair()
        agent.channel.send(Dialled(late.question), [far])
        far.close()
        agent.channel.send(Renewed(1.0))
        await orders.get()
        with near:
            assert near.recv(1) == b""


@in_loop
async def test_an_agent_given_up_is_asked_nothing_until_it_is_heard(tmp_path):
    """What it has been asked fails at once, so does what would be; whatever it says, it is asked again."""
    async with linked(tmp_path) as (agent, link, orders):
        dialling, identifying = asyncio.create_task(link.dial(1, API)), asyncio.create_task(link.identify(1, POD, API))
        asked = [await agent.heard.get() for _ in range(2)]
        async with asyncio.timeout(link_module.IDENTIFY_SECONDS / 2):
            link.give_up()
            with pytest.raises(ConnectionAbortedError, match="silent"):
                await dialling
            with pytest.raises(ConnectionAbortedError, match="silent"):
                await link.dial(1, API)
            assert await identifying == Identified(identifying_number(asked))
        agent.channel.send(Renewed(1.0))
        await orders.get()
        identifying = asyncio.create_task(link.identify(1, POD, API))
        agent.channel.send(Identified((await agent.heard.get()).question, "app"))
        assert (await identifying).container == "app"


def identifying_number(asked):
    """Return the number of the one question about a container."""
    (found,) = (question.question for question in asked if isinstance(question, Identify))
    return found


@in_loop
async def test_a_lost_agent_is_told_and_found_again(tmp_path):
    """When the agent goes, waiting questions fail at once and the carrier is told; the next agent is connected to."""
    async with linked(tmp_path) as (agent, link, orders):
        dialling = asyncio.create_task(link.dial(1, API))
        await agent.heard.get()
        agent.close()
        with pytest.raises(ConnectionAbortedError):
            await dialling
        assert await orders.get() == ("lost", "the other side has gone")
        with pytest.raises(ConnectionAbortedError):
            await link.dial(1, API)
        successor = Agent(tmp_path / "agent.sock")
        await successor.accept()
        successor.channel.send(Renewed(2.0))
        assert await orders.get() == ("renewed", 2.0)
        successor.close()
