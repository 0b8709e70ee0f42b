"""When other traffic of a pod is left untracked, and until when."""

import msgspec

from apisnoop_tproxy import settling
from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.settling import SETTLING_SECONDS, Settling
from apisnoop_tproxy.untracked import render_untracked
from tests.looped import eventually, in_loop
from tests.tproxy.fake_pod import NO, YES, enrolled, running
from tests.tproxy.neighbour import DESTINED, is_there


def test_a_pod_settles():
    """After some time in which its containers have run; if they stop meanwhile, the time begins anew."""
    now = 100.0
    pod = Settling(lambda: now)
    assert not pod.see(running=False)
    assert pod.again is None
    assert not pod.see(running=True)
    assert pod.again == SETTLING_SECONDS
    now += SETTLING_SECONDS / 2
    assert not pod.see(running=True)
    assert not pod.see(running=False)
    assert pod.again is None
    assert not pod.see(running=True)
    now += SETTLING_SECONDS
    assert pod.again == 0
    assert pod.see(running=True)


@in_loop
async def test_an_agent_waits_until_a_pod_has_settled(settings, pod, podlike, monkeypatch):
    """Its containers have to run, and for some time; when the agent ends, or the pod is let go, nothing is left."""
    monkeypatch.setattr(settling, "SETTLING_SECONDS", 1.0)
    async with enrolled(settings, pod, YES) as (agent, proxy):
        await eventually(lambda: not agent.pods[pod.uid].touched.is_set())
        assert agent.pods[pod.uid].settling.again is None
        pod.facts = msgspec.structs.replace(pod.facts, running=True)
        agent.update(pod.facts, YES, "deployment/web")
        await eventually(lambda: agent.pods[pod.uid].settling.again is not None)
        assert not is_there(podlike)
        await eventually(lambda: is_there(podlike))
        agent.update(pod.facts, NO, "deployment/web")
        await proxy.until(proxy.retired)
        proxy.drained(proxy.retired()[0].enrolment)
        await eventually(lambda: pod.table() is None)
        assert not is_there(podlike)
        await eventually(lambda: agent.pods[pod.uid].settling.again is None)


@in_loop
async def test_what_a_dead_agent_left_goes_with_the_next(settings, pod, podlike):
    """Whoever finds that the pod is not wanted takes both away."""
    podlike.run(lambda: apply_rules(render_untracked(DESTINED, 5.0)))
    async with running(settings) as agent:
        agent.update(pod.facts, NO, "deployment/web")
        await eventually(lambda: not is_there(podlike))
