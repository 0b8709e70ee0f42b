"""What is left when recording, a pod, or the agent itself ends: nothing."""

import asyncio
import time
from pathlib import Path

import msgspec

from apisnoop.calls.recording import POD_ENDED
from apisnoop_tproxy import agent as node_agent
from tests.looped import eventually, in_loop
from tests.tproxy.fake_pod import YES, enrolled, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API


@in_loop
async def test_an_agent_that_ends_leaves_nothing(settings, pod):
    """At its end the agent deletes every table that carries nothing."""
    async with enrolled(settings, pod):
        assert pod.table() is not None
    assert pod.table() is None


async def ending(settings, pod):
    """Have an agent end whose proxy has not said yet that nothing is left; give its task and the proxy."""
    agent = node_agent.Agent(settings, lambda *_: None, host=Path("/proc/self"))
    agent.destine([API])
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)
    proxy = FakeProxy(settings.socket)
    agent.update(pod.facts, YES)
    await proxy.until(lambda: state(agent, pod) == "intercepting")
    task.cancel()
    await proxy.until(proxy.retired)
    return task, proxy


@in_loop
async def test_an_agent_that_ends_waits_for_connections_on_their_way(settings, pod):
    """The table stays until the proxy has said that nothing is left, which knows of more than sockets."""
    task, proxy = await ending(settings, pod)
    await asyncio.wait([task], timeout=0.5)
    assert not task.done()
    assert pod.table() is not None
    proxy.drained(proxy.retired()[0].enrolment)
    await asyncio.wait([task])
    assert pod.table() is None
    proxy.close()


@in_loop
async def test_an_agent_that_ends_does_not_wait_for_ever(settings, pod, monkeypatch):
    """A proxy that never says so does not keep the table."""
    monkeypatch.setattr(node_agent, "FINISH_SECONDS", 0.2)
    task, proxy = await ending(settings, pod)
    await asyncio.wait([task])
    assert pod.table() is None
    proxy.close()


@in_loop
async def test_recording_ends_at_its_time(settings, pod):
    """A pod whose time is over is let go without anybody saying so."""
    async with enrolled(settings, pod) as (agent, proxy):
        agent.update(pod.facts, msgspec.structs.replace(YES, until=time.time() + 0.2))
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == ""
        await proxy.until(lambda: state(agent, pod) == "draining")
        assert agent.pods[pod.uid].state.why == "its time is over"


@in_loop
async def test_a_container_that_ends_is_not_the_pods_end(settings, pod):
    """When the process by which the pod was found ends and others are left, recording goes on without a break."""
    async with enrolled(settings, pod) as (agent, proxy):
        first = agent.pods[pod.uid].presence.foothold.pid
        second = pod.start("import sys; sys.stdin.read()")
        pod.stop(pod.process)
        await proxy.until(lambda: agent.pods[pod.uid].presence.foothold.pid != first)
        assert agent.pods[pod.uid].presence.foothold.pid == second.pid
        assert (state(agent, pod), proxy.retired()) == ("intercepting", [])
        pod.stop(second)
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == POD_ENDED


@in_loop
async def test_a_dead_pods_namespace_goes(settings, pod, podlike):
    """When a pod's processes have ended and its runtime has let go of the namespace, nothing of ours keeps it."""
    there = podlike.tell_tale()
    async with enrolled(settings, pod) as (agent, proxy):
        podlike.forget()
        assert there()
        pod.end()
        await proxy.until(proxy.retired)
        proxy.drained(proxy.retired()[0].enrolment)
        await eventually(lambda: not there())
        assert agent.pods[pod.uid].presence is None


@in_loop
async def test_a_pod_that_ends_is_let_go_of(settings, pod):
    """When its processes end, nothing keeps its namespace, and the proxy drops what is left."""
    async with enrolled(settings, pod) as (agent, proxy):
        pod.end()
        await proxy.until(proxy.retired)
        assert (proxy.retired()[0].cut, proxy.retired()[0].reason) == (True, POD_ENDED)
        assert agent.pods[pod.uid].presence is None
        agent.remove(pod.uid)
        assert pod.uid not in agent.pods
