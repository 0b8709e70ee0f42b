"""Mode init: an agent that never enters a pod, with a pod that its own init container has prepared."""

import asyncio
import functools
import socket
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from apisnoop.node.messages import Dial, Dialled, Identified, Identify, Over, Unseen
from apisnoop.node.wanted import Marks
from apisnoop_tproxy.afar import FarPresence
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.redirection import render_redirection
from apisnoop_tproxy.settings import Interception, Settings
from tests.looped import PATIENCE
from tests.tproxy.cabled import POD_ADDRESSES
from tests.tproxy.fake_pod import NO, YES, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API, API6
from tests.tproxy.test_redirection import POD_UID

FACTS = PodFacts(
    uid=str(POD_UID),
    namespace="shop",
    name="web",
    marks=Marks("pod web"),
    addresses=frozenset(POD_ADDRESSES),
    prepared="",
    only_container="app",
)


def on_the_node(test):
    """Make a test of a coroutine function that runs in the node's network; the API server is there, too."""

    @functools.wraps(test)
    def run(cabled, **fixtures):
        async def patiently():
            async with asyncio.timeout(PATIENCE):
                await test(cabled, **fixtures)

        for server in (API, API6):
            cabled.node.server(server)
        cabled.pod.run(lambda: apply_rules(render_redirection(POD_UID, (API, API6))))
        cabled.node.run(lambda: asyncio.run(patiently()))

    return run


@pytest.fixture
def settings(tmp_path):
    """Give the settings of mode init."""
    (tmp_path / "tls.crt").write_bytes(b"a certificate")
    return Settings(
        node="node1",
        socket=tmp_path / "agent.sock",
        certificate=tmp_path / "tls.crt",
        interception=Interception.INIT,
        server=API,
    )


@asynccontextmanager
async def running(settings):
    """Run an agent and a proxy."""
    agent = Agent(settings, lambda *_: None)
    agent.destine([API])
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)  # it listens from its first step on
    proxy = FakeProxy(settings.socket)
    try:
        yield agent, proxy
    finally:
        proxy.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def led(settings):
    """Run both, with the pod led to the proxy."""
    async with running(settings) as (agent, proxy):
        agent.update(FACTS, YES)
        await proxy.until(lambda: state(agent, Named) == "intercepting")
        yield agent, proxy


class Named:
    """The pod, for `state`."""

    uid = FACTS.uid


def is_met(cabled, listener, server=API):
    """Tell whether a connection of the pod to the API arrives at a listener."""
    cabled.pod.connect(server)
    listener.settimeout(0.3)
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


async def until_met(cabled, listener, server=API):
    """Wait until connections arrive there: a datagram may get lost, and there is another every second."""
    while not await asyncio.to_thread(is_met, cabled, listener, server):  # it takes its time itself
        pass


@on_the_node
async def test_a_prepared_pod_is_led_to_listeners_of_its_own(cabled, settings):
    """In both families; the proxy learns where the API server is, and that nobody else may connect."""
    async with led(settings) as (_, proxy):
        enrol = await proxy.enrolled()
        assert enrol.upstream == API
        assert set(enrol.sources) == set(POD_ADDRESSES)
        assert enrol.caller.pod == "web"
        of_family = {sock.family: sock for sock in proxy.listeners[enrol.enrolment]}
        for family, server in ((socket.AF_INET, API), (socket.AF_INET6, API6)):
            await until_met(cabled, of_family[family], server)


@on_the_node
async def test_off_and_on_again_need_no_new_pod(cabled, settings):
    """New connections are direct as soon as it is wanted no more, and led again when it is."""
    async with led(settings) as (agent, proxy):
        first = await proxy.enrolled()
        agent.update(FACTS, NO)
        await proxy.until(lambda: proxy.retired(first.enrolment))
        assert not await asyncio.to_thread(is_met, cabled, proxy.listeners[first.enrolment][0])
        proxy.drained(first.enrolment)
        await proxy.until(lambda: state(agent, Named) == "off")
        agent.update(FACTS, YES)
        await proxy.until(lambda: state(agent, Named) == "intercepting")
        second = await proxy.enrolled()
        await until_met(cabled, proxy.listeners[second.enrolment][0])


@on_the_node
async def test_a_proxy_that_goes_takes_nobody_with_it(cabled, settings):
    """Connections are direct at once, and not only when the lease has run out."""
    async with led(settings) as (agent, proxy):
        listener = proxy.listeners[(await proxy.enrolled()).enrolment][0].dup()
        proxy.close()
        await proxy.until(lambda: state(agent, Named) == "waiting")
        with listener:
            assert not await asyncio.to_thread(is_met, cabled, listener)


@on_the_node
async def test_a_frozen_proxy_gets_nothing_new_until_it_is_well(cabled, settings):
    """What it does not say for a second counts; when it beats again, so does the pod's lease."""
    async with led(settings) as (agent, proxy):
        listener = proxy.listeners[(await proxy.enrolled()).enrolment][0]
        proxy.beating = False
        await proxy.until(lambda: state(agent, Named) == "shed")
        assert not await asyncio.to_thread(is_met, cabled, listener)
        proxy.beating = True
        await proxy.until(lambda: state(agent, Named) == "intercepting")
        await until_met(cabled, listener)


@on_the_node
async def test_an_agent_that_ends_lets_go(cabled, settings):
    """It says so to every pod before it leaves."""
    agent = Agent(settings, lambda *_: None)
    agent.destine([API])
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)
    proxy = FakeProxy(settings.socket)
    agent.update(FACTS, YES)
    await proxy.until(lambda: state(agent, Named) == "intercepting")
    listener = proxy.listeners[(await proxy.enrolled()).enrolment][0].dup()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    with listener:
        assert not await asyncio.to_thread(is_met, cabled, listener)
    proxy.close()


@on_the_node
async def test_the_only_container_is_known_and_can_be_left_untouched(cabled, settings):
    """Where there are several it stays unknown; the proxy gets no socket of the pod."""
    async with led(settings) as (agent, proxy):
        number = (await proxy.enrolled()).enrolment
        source = (POD_ADDRESSES[0], 40000)
        proxy.channel.send(Identify(1, number, source, API))
        proxy.channel.send(Dial(2, number, API))
        await proxy.until(lambda: Identified(1, "app") in proxy.heard)
        proxy.channel.send(Unseen(number, "app", "client-certificate"))
        proxy.channel.send(Identify(3, number, source, API))
        await proxy.until(lambda: Identified(3, "app", untouched=True) in proxy.heard)
        (dialled,) = (one for one in proxy.heard if isinstance(one, Dialled))
        assert "not made in its network namespace" in dialled.error
        agent.update(msgspec.structs.replace(FACTS, only_container=""), YES)
        proxy.channel.send(Identify(4, number, source, API))
        await proxy.until(lambda: Identified(4, "") in proxy.heard)


@on_the_node
async def test_a_pod_over_its_limit_is_let_go(cabled, settings):
    """As in mode agent."""
    async with led(settings) as (agent, proxy):
        number = (await proxy.enrolled()).enrolment
        listener = proxy.listeners[number][0]
        proxy.channel.send(Over(number, "connections"))
        await proxy.until(lambda: proxy.retired(number))
        assert not await asyncio.to_thread(is_met, cabled, listener)
        proxy.drained(number)
        await proxy.until(lambda: state(agent, Named) == "skipped")


@pytest.mark.parametrize(
    ("prepared", "words"),
    [(None, "without our init container"), ("the kernel does not take its rule", "the kernel does not take its rule")],
)
def test_a_pod_that_is_not_prepared_is_skipped(cabled, settings, prepared, words):
    """And people read why, and what to do."""

    async def look():
        async with asyncio.timeout(PATIENCE), running(settings) as (agent, proxy):
            agent.update(msgspec.structs.replace(FACTS, prepared=prepared), YES)
            await proxy.until(lambda: state(agent, Named) == "skipped")
            assert words in agent.pods[FACTS.uid].state.why
            assert agent.pods[FACTS.uid].state.cause.code == "NotPrepared"

    cabled.node.run(lambda: asyncio.run(look()))


@on_the_node
async def test_a_pod_without_an_address_waits_for_it(cabled, settings):
    """The kubelet tells it a moment later."""
    async with running(settings) as (agent, proxy):
        agent.update(msgspec.structs.replace(FACTS, addresses=frozenset()), YES)
        await proxy.until(lambda: state(agent, Named) == "waiting")
        agent.update(FACTS, YES)
        await proxy.until(lambda: state(agent, Named) == "intercepting")


@on_the_node
async def test_without_a_certificate_nobody_is_led(cabled, settings):
    """It comes when it comes; there is a look every half minute, and at every change of it."""
    settings.certificate.unlink()
    async with running(settings) as (agent, proxy):
        agent.update(FACTS, YES)
        await proxy.until(lambda: state(agent, Named) == "skipped")
        settings.certificate.write_bytes(b"a certificate")
        await proxy.until(lambda: state(agent, Named) == "intercepting")


def test_a_pod_of_a_family_that_we_have_not_is_told(podlike):
    """There is nothing to listen on for it."""
    facts = msgspec.structs.replace(FACTS, addresses=frozenset({"fd00:202::2"}))

    def without():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("apisnoop_tproxy.afar.listen", refuse)
            FarPresence(facts).open_listeners()

    def refuse(host, _port):
        raise OSError(97, f"no {host}")

    with pytest.raises(OSError, match="no ::"):
        podlike.run(without)
