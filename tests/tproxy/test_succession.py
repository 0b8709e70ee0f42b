"""Agents of one node that follow one another: what one leaves to the next, and who has a pod while there are two."""

import socket
import time

import msgspec
import pytest

from apisnoop.node.messages import Renewed
from apisnoop.node.wanted import Marks
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Code
from apisnoop_tproxy.rules import Redirect, new_generation
from apisnoop_tproxy.succession import Succession
from tests.looped import in_loop
from tests.tproxy.fake_pod import NO, enrolled, running, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API


def count(proxy, kind):
    """Count what the proxy has heard of a kind."""
    return len([one for one in proxy.heard if isinstance(one, kind)])


def agents_pod(name="apisnoop-agent-2", namespace="apisnoop", **facts):
    """Make what is known of the pod of an agent."""
    return PodFacts(
        uid=f"uid-{name}", namespace=namespace, name=name, marks=Marks(""), **{"component": "agent", **facts}
    )


def forge(pod, generation):
    """Write a table as a program of the pod may do that wants us to believe that another agent has it."""
    forged = Redirect(generation, {socket.AF_INET: 9}, 600)
    pod.podlike.put(forged, [API])


@pytest.mark.parametrize(
    "other",
    [
        agents_pod("apisnoop-agent-1"),
        agents_pod(namespace="shop"),
        agents_pod(component="webhook"),
        agents_pod(ended=True),
    ],
)
def test_who_is_no_other_agent(other):
    """Neither our own pod nor one of another namespace, of another part, or one that has ended is another agent's."""
    succession = Succession(new_generation(time.time() - 60), "apisnoop", "apisnoop-agent-1")
    succession.see(other)
    assert succession.alone
    assert not succession.yields(new_generation(time.time()))


def test_an_agent_yields_to_one_that_came_later():
    """While there is another agent's pod, and not when its generation is older, or ahead of time."""
    now = time.time()
    succession = Succession(new_generation(now - 60), "apisnoop", "apisnoop-agent-1")
    succession.see(agents_pod())
    assert succession.yields(new_generation(now))
    for generation in (new_generation(now - 120), new_generation(now + 3600), "f" * 15, "dead", ""):
        assert not succession.yields(generation)
    succession.see(agents_pod(ended=True))
    assert not succession.yields(new_generation(now))
    succession.see(agents_pod())
    succession.forget("uid-apisnoop-agent-2")
    assert not succession.yields(new_generation(now))


def test_outside_of_a_pod_every_agent_is_believed():
    """Where nothing tells which pods are agents', the generation alone decides."""
    succession = Succession(new_generation(time.time() - 60))
    assert not succession.alone
    assert succession.yields(new_generation(time.time()))
    assert not succession.yields(new_generation(time.time() + 3600))


@in_loop
async def test_a_table_from_the_future_is_an_edit(settings, pod):
    """A pod that writes one does not opt out: ours is put in its place, with a gap in the record, and it is told."""
    told = []
    async with enrolled(settings, pod, tell=lambda _, state: told.append(state)) as (agent, proxy):
        forge(pod, new_generation(time.time() + 3600))
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == "its rule was changed by somebody else"
        await proxy.until(lambda: agent.leases and pod.table().generation == agent.generation)
        held = await proxy.enrolled()
        assert pod.redirected(proxy.listeners[held.enrolment][0])
        assert Code.RULE_CHANGED in {one.cause.code for one in told}


@in_loop
async def test_a_table_of_an_agent_that_is_not_there_is_an_edit(settings, pod):
    """A plausible one is believed as long as there is another agent's pod on the node, and no longer."""
    in_a_pod = msgspec.structs.replace(settings, namespace="apisnoop", pod="apisnoop-agent-1")
    async with enrolled(in_a_pod, pod) as (agent, proxy):
        forge(pod, new_generation(time.time()))
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == "its rule was changed by somebody else"
        await proxy.until(lambda: agent.leases and pod.table().generation == agent.generation)
        agent.update(agents_pod(), NO)
        forge(pod, new_generation(time.time()))
        await proxy.until(lambda: len(proxy.retired()) == 2)
        assert proxy.retired()[1].reason == "a newer node agent of this node has taken it over"
        agent.remove("uid-apisnoop-agent-2")
        await proxy.until(lambda: agent.leases and pod.table().generation == agent.generation)


@in_loop
async def test_what_an_earlier_agent_left_is_taken_over_or_removed(settings, pod):
    """A table of another generation is replaced where the pod is wanted, and removed where it is not."""
    left = Redirect("dead", {socket.AF_INET: 9}, 60)
    pod.podlike.put(left, [API])
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        assert pod.table().generation == agent.generation
        assert pod.redirected(proxy.listeners[enrol.enrolment][0])
    pod.podlike.put(left, [API])
    async with running(settings) as agent:
        agent.update(pod.facts, NO)
        proxy = FakeProxy(settings.socket)
        await proxy.until(lambda: pod.table() is None)
        proxy.close()


@in_loop
async def test_the_newer_of_two_agents_has_the_pod(settings, pod, tmp_path):
    """It takes over without a moment in which nobody leads, and the older one lets go, drains, and returns after it."""
    with_socket = msgspec.structs.replace(settings, socket=tmp_path / "newer.sock")
    async with enrolled(settings, pod) as (older, proxy):
        held = await proxy.enrolled()
        client = pod.podlike.connect()
        carried = pod.podlike.accept(proxy.listeners[held.enrolment][0])
        async with enrolled(with_socket, pod) as (newer, successor):
            assert newer.generation > older.generation
            await proxy.until(proxy.retired)
            assert proxy.retired()[0].reason == "a newer node agent of this node has taken it over"
            assert pod.table().generation == newer.generation
            taken = await successor.enrolled()
            assert pod.redirected(successor.listeners[taken.enrolment][0])
            client.sendall(b"open")
            assert carried.recv(10) == b"open"
            proxy.drained(held.enrolment)
            for _ in range(3):
                renewals = count(successor, Renewed)
                await successor.until(lambda renewals=renewals: count(successor, Renewed) > renewals)
            assert (state(older, pod), state(newer, pod)) == ("draining", "intercepting")
            assert successor.retired() == []
            client.close()
            carried.close()
        await proxy.until(lambda: state(older, pod) == "intercepting")
        again = await proxy.enrolled()
        assert pod.redirected(proxy.listeners[again.enrolment][0])


@in_loop
async def test_the_older_of_two_agents_removes_nothing_of_the_newers(settings, pod, tmp_path):
    """When the pod is wanted no more, the table stays until the last connection that goes through it has ended."""
    with_socket = msgspec.structs.replace(settings, socket=tmp_path / "newer.sock")
    async with enrolled(settings, pod) as (older, proxy), enrolled(with_socket, pod) as (newer, successor):
        held = await successor.enrolled()
        client = pod.podlike.connect()
        carried = pod.podlike.accept(successor.listeners[held.enrolment][0])
        await proxy.until(proxy.retired)
        for one in proxy.retired():
            proxy.drained(one.enrolment)
        older.update(pod.facts, NO)
        newer.update(pod.facts, NO)
        await successor.until(successor.retired)
        await proxy.until(lambda: older.pods[pod.uid].state.cause.code == "NotWanted")
        client.sendall(b"open")
        assert carried.recv(10) == b"open"
        assert state(older, pod) == "draining"
        assert pod.table() is not None
        client.close()
        carried.close()
        successor.drained(held.enrolment)

        def both_off():
            for one in proxy.retired():  # it may have been offered again just before it was wanted no more
                proxy.drained(one.enrolment)
            return (state(older, pod), state(newer, pod)) == ("off", "off")

        await successor.until(both_off)
        assert pod.table() is None
