"""The agent's answers to the init container of a pod, and who else may be where it answers."""

import asyncio

import msgspec

from apisnoop_tproxy import wait
from apisnoop_tproxy.pod_state import Code
from apisnoop_tproxy.presence import Presence
from tests.looped import eventually, in_loop
from tests.tproxy.certificates import Authority
from tests.tproxy.fake_pod import NO, YES, enrolled, running, state
from tests.tproxy.fake_proxy import FakeProxy


def waits(pod):
    """Wait as the pod's init container does; return why the pod is not recorded."""
    return pod.podlike.run(lambda: wait.wait(20))


def refuses(pod):
    """Tell whether nobody answers the pod's init container."""
    try:
        pod.podlike.connect((wait.HOST, wait.PORT)).close()
    except ConnectionRefusedError:
        return True
    return False


def starting(pod):
    """Give what is known of a pod whose init container may ask."""
    return msgspec.structs.replace(pod.facts, starting=True)


@in_loop
async def test_an_init_container_hears_when_its_pod_is_recorded(settings, pod):
    """It may ask from its first moment on, and gets its answer when the rule is in place."""
    async with running(settings) as agent:
        agent.update(starting(pod), YES)
        await eventually(lambda: agent.pods[pod.uid].state.cause.code == "ProxyMissing")
        assert refuses(pod)  # another agent of the node may have a proxy, and answer
        answer = asyncio.create_task(asyncio.to_thread(waits, pod))
        proxy = FakeProxy(settings.socket)
        assert await answer == ""
        assert state(agent, pod) == "intercepting"
        assert await asyncio.to_thread(waits, pod) == ""
        agent.update(pod.facts, YES)
        await eventually(lambda: refuses(pod))
        proxy.close()


@in_loop
async def test_an_init_container_hears_why_its_pod_is_not_recorded(settings, pod):
    """A pod that would refuse us, and one that nobody wants any more, are told so and need not wait."""
    pod.ca_file.write_bytes(Authority("other").pem)
    async with running(settings) as agent:
        proxy = FakeProxy(settings.socket)
        agent.update(starting(pod), YES)
        assert "does not accept our certificate" in await asyncio.to_thread(waits, pod)
        assert state(agent, pod) == "skipped"
        agent.update(starting(pod), NO)
        await proxy.until(lambda: state(agent, pod) == "off")
        assert await asyncio.to_thread(waits, pod) == "nothing asks for it"
        agent.update(pod.facts, NO)
        await proxy.until(lambda: agent.pods[pod.uid].presence is None)
        assert refuses(pod)
        proxy.close()


@in_loop
async def test_somebody_else_who_answers_is_told_of(settings, pod):
    """A program of the pod where the agent would answer is an incident, told once; when it goes, the agent is there."""
    told = []
    in_a_pod = msgspec.structs.replace(settings, namespace="apisnoop", pod="apisnoop-agent-1")
    taken = pod.podlike.server((wait.HOST, wait.PORT))
    async with enrolled(in_a_pod, pod, tell=lambda _, state: told.append(state)) as (agent, _):
        agent.update(starting(pod), YES)
        await eventually(lambda: told[-1].cause.code is Code.PORT_TAKEN)
        assert "somebody else on port 15022: Address already in use" in told[-1].why
        agent.update(starting(pod), YES)
        taken.close()
        assert await asyncio.to_thread(waits, pod) == ""
        assert [one.cause.code for one in told].count(Code.PORT_TAKEN) == 1


@in_loop
async def test_a_taken_port_is_of_no_interest_once_the_pod_has_started(settings, pod, monkeypatch):
    """The pod is looked at again and again while its init container may ask, and then no more often than others."""
    looks = []
    monkeypatch.setattr("apisnoop_tproxy.pod_control.RATHER_SOON", 0.02)
    check = Presence.check
    monkeypatch.setattr(Presence, "check", lambda presence: looks.append(presence) or check(presence))
    taken = pod.podlike.server((wait.HOST, wait.PORT))
    async with enrolled(settings, pod) as (agent, _):
        agent.update(starting(pod), YES)
        await eventually(lambda: len(looks) > 5)
        agent.update(pod.facts, YES)
        before = len(looks)
        await asyncio.sleep(0.5)
        assert len(looks) - before <= 3
    taken.close()


@in_loop
async def test_another_agent_who_answers_is_no_incident(settings, pod, tmp_path):
    """While a node has two, the port is the first one's, and nobody needs to know."""
    told = []
    async with running(settings, lambda _, state: told.append(state)) as first:
        proxy = FakeProxy(settings.socket)
        first.update(starting(pod), YES)
        assert await asyncio.to_thread(waits, pod) == ""
        with_socket = msgspec.structs.replace(settings, socket=tmp_path / "newer.sock")
        async with running(with_socket, lambda _, state: told.append(state)) as second:
            successor = FakeProxy(with_socket.socket)
            second.update(starting(pod), YES)
            await successor.until(lambda: state(second, pod) == "intercepting")
            assert await asyncio.to_thread(waits, pod) == ""
            successor.close()
        proxy.close()
    assert Code.PORT_TAKEN not in {one.cause.code for one in told}
