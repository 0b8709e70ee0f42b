"""Several workers of one proxy: they are offered the same sockets, and stand by one another."""

import asyncio
from contextlib import asynccontextmanager

from apisnoop.node.messages import Dial, Dialled, Enrolled, Identified, Identify, Leaving, Over, Refused, Renewed
from tests.looped import in_loop
from tests.tproxy.fake_pod import NO, YES, running, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API


def worker(settings, number):
    """Start one of two."""
    return FakeProxy(settings.socket, number, 2)


def reasons(proxy):
    """Say why leases ended, as it was told; empty: they hold."""
    return [one.why for one in proxy.heard if isinstance(one, Renewed)]


@asynccontextmanager
async def two_workers(settings, pod):
    """Give an agent and two workers to which a pod's connections are led."""
    async with running(settings) as agent:
        workers = worker(settings, 0), worker(settings, 1)
        try:
            agent.update(pod.facts, YES, "deployment/web")
            await workers[0].until(lambda: state(agent, pod) == "intercepting")
            yield agent, *workers
        finally:
            for one in workers:
                one.close()


@in_loop
async def test_a_pod_is_led_there_when_all_workers_accept(settings, pod):
    """It is offered when all are there; each gets the sockets, and any of them may take a connection."""
    async with running(settings) as agent:
        first, second = worker(settings, 0), None
        agent.update(pod.facts, YES)
        await first.until(lambda: state(agent, pod) == "waiting")
        assert agent.pods[pod.uid].state.cause.code == "ProxyMissing"
        second = worker(settings, 1)
        second.accepting = False
        enrol = await first.enrolled()
        assert await second.enrolled() == enrol
        await asyncio.sleep(0.3)  # the first has accepted; nothing tells that this changes nothing
        assert pod.table() is None
        second.channel.send(Enrolled(enrol.enrolment))
        await first.until(lambda: state(agent, pod) == "intercepting")
        for one in (first, second):
            await first.until(lambda one=one: pod.redirected(one.listeners[enrol.enrolment][0]))
        for one in (first, second):
            one.close()


@in_loop
async def test_what_one_worker_refuses_the_others_let_go(settings, pod):
    """The pod is not led to those that would have it: they are told to let it go, and why."""
    async with running(settings) as agent:
        first, second = worker(settings, 0), worker(settings, 1)
        second.accepting = False
        agent.update(pod.facts, YES)
        enrol = await second.enrolled()
        second.channel.send(Refused(enrol.enrolment, "no memory"))
        await first.until(first.retired)
        assert first.retired()[0].reason == "another worker refused it: no memory"
        await first.until(lambda: state(agent, pod) == "skipped")
        assert "refused it: no memory" in agent.pods[pod.uid].state.why
        assert (pod.table(), second.retired()) == (None, [])
        for one in (first, second):
            one.close()


@in_loop
async def test_the_table_goes_when_no_worker_carries_anything(settings, pod):
    """The last connection of the pod may be any worker's."""
    async with two_workers(settings, pod) as (agent, first, second):
        number = (await first.enrolled()).enrolment
        agent.update(pod.facts, NO)
        for one in (first, second):
            await one.until(one.retired)
        first.drained(number)
        await first.until(lambda: state(agent, pod) == "draining")
        await asyncio.sleep(0.6)  # it looks twice a second whether anything is left
        assert pod.table() is not None
        second.drained(number)
        await first.until(lambda: state(agent, pod) == "off")
        assert pod.table() is None


@in_loop
async def test_each_worker_gets_its_own_answers(settings, pod):
    """Two questions with the same number are two questions."""
    async with two_workers(settings, pod) as (_, first, second):
        number = (await first.enrolled()).enrolment
        _, source = await asyncio.to_thread(pod.connect)
        first.channel.send(Identify(1, number, source, API))
        second.channel.send(Dial(1, number, ("10.89.0.2", 6443)))
        await first.until(lambda: Identified(1, "app") in first.heard)
        await second.until(lambda: Dialled(1, "the API server is not there") in second.heard)
        answers = [one for proxy in (first, second) for one in proxy.heard if isinstance(one, Identified | Dialled)]
        assert len(answers) == 2


@in_loop
async def test_the_others_go_on_without_a_worker_that_is_lost(settings, pod):
    """Leases go on; the others hear that something may be missing. The last one takes all with it."""
    async with two_workers(settings, pod) as (agent, first, second):
        enrol = await first.enrolled()
        second.close()
        await first.until(lambda: not agent.proxy.offering)
        await first.until(lambda: any("worker 1 of the proxy was lost" in why for why in reasons(first)))
        await first.until(lambda: reasons(first)[-1] == "")
        await first.until(lambda: pod.redirected(first.listeners[enrol.enrolment][0]))
        assert first.retired() == []
        first.close()
        await first.until(lambda: state(agent, pod) == "waiting")
        await asyncio.to_thread(pod.podlike.connect)  # would be refused if it were led to nobody


@in_loop
async def test_a_worker_that_comes_back_has_a_share_in_what_is_enrolled_then(settings, pod):
    """What the others have goes on without it, until only those are lost that have it."""
    async with two_workers(settings, pod) as (agent, first, second):
        before = await first.enrolled()
        second.close()
        await first.until(lambda: not agent.proxy.offering)
        back = worker(settings, 1)
        await back.until(lambda: agent.proxy.offering)
        assert agent.pods[pod.uid].enrolments.current.number == before.enrolment
        first.close()
        await back.until(lambda: state(agent, pod) == "waiting")
        again = worker(settings, 0)
        after = await back.enrolled()
        assert after.enrolment != before.enrolment
        await back.until(lambda: pod.redirected(back.listeners[after.enrolment][0]))
        for one in (back, again):
            one.close()


@in_loop
async def test_a_worker_that_is_silent_has_all_shed(settings, pod):
    """Nobody can say which of them a connection would meet; what is open is broken, for it may be the silent one's."""
    async with two_workers(settings, pod) as (agent, first, second):
        listener = first.listeners[(await first.enrolled()).enrolment][0]
        client = pod.podlike.connect()
        pod.podlike.accept(listener)
        second.beating = False
        await first.until(lambda: state(agent, pod) == "shed")
        assert not pod.redirected(listener)
        client.settimeout(5)
        assert isinstance(await asyncio.to_thread(_ended, client), ConnectionResetError)
        second.beating = True
        await first.until(lambda: pod.redirected(listener))


def _ended(client):
    try:
        client.recv(1)
    except OSError as error:
        return error
    return None


@in_loop
async def test_nothing_is_led_to_workers_of_which_one_ends(settings, pod):
    """Until it has ended; then the others go on."""
    async with two_workers(settings, pod) as (agent, first, second):
        second.channel.send(Leaving())
        await second.until(lambda: state(agent, pod) == "shed")
        assert not pod.redirected(first.listeners[(await first.enrolled()).enrolment][0])
        second.close()
        await first.until(lambda: state(agent, pod) == "intercepting")
        assert first.retired() == []


@in_loop
async def test_a_pod_that_is_over_the_limit_of_one_worker_is_let_go_by_all(settings, pod):
    """A limit is each worker's own; that one has been reached is enough."""
    async with two_workers(settings, pod) as (agent, first, second):
        number = (await first.enrolled()).enrolment
        second.channel.send(Over(number, "connections"))
        for one in (first, second):
            await one.until(one.retired)
            one.drained(number)
        await first.until(lambda: state(agent, pod) == "skipped")
        assert "limit of connections" in agent.pods[pod.uid].state.why
