"""Agents of one node that follow one another: what one leaves to the next, and who has a pod while there are two."""

import socket

import msgspec

from apisnoop.node.messages import Renewed
from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.rules import Redirect, render_table
from tests.looped import in_loop
from tests.tproxy.fake_pod import NO, enrolled, running, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API


def count(proxy, kind):
    """Count what the proxy has heard of a kind."""
    return len([one for one in proxy.heard if isinstance(one, kind)])


@in_loop
async def test_what_an_earlier_agent_left_is_taken_over_or_removed(settings, pod):
    """A table of another generation is replaced where the pod is wanted, and removed where it is not."""
    left = Redirect("dead", {socket.AF_INET: 9}, 60)
    pod.podlike.run(lambda: apply_rules(render_table(left, [API])))
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        assert pod.table().generation == agent.generation
        assert pod.redirected(proxy.listeners[enrol.enrolment][0])
    pod.podlike.run(lambda: apply_rules(render_table(left, [API])))
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
        await successor.until(lambda: (state(older, pod), state(newer, pod)) == ("off", "off"))
        assert pod.table() is None
