"""The agent when its proxy goes, is silent, is late, or reports a pod that takes too much."""

import asyncio
import errno

import pytest

from apisnoop.node.messages import Over
from apisnoop_tproxy.diag import SocketDiagnosis
from tests.looped import in_loop
from tests.tproxy.fake_pod import enrolled, state
from tests.tproxy.fake_proxy import FakeProxy


@in_loop
async def test_a_proxy_that_goes_takes_nobody_with_it(settings, pod):
    """When the channel closes, connections are direct at once; the next proxy is led the pod anew."""
    async with enrolled(settings, pod) as (agent, proxy):
        proxy.close()
        await proxy.until(lambda: state(agent, pod) == "waiting")
        await asyncio.to_thread(pod.podlike.connect)  # would be refused if it were led to nobody
        successor = FakeProxy(settings.socket)
        enrol = await successor.enrolled()
        await successor.until(lambda: state(agent, pod) == "intercepting")
        assert pod.redirected(successor.listeners[enrol.enrolment][0])
        successor.close()


@in_loop
async def test_a_silent_proxy_loses_its_pods_and_then_their_connections(settings, pod):
    """Without beats new connections are direct within a second, open ones break; when it beats again, it goes on."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        listener = proxy.listeners[enrol.enrolment][0]
        client = pod.podlike.connect()
        carried = pod.podlike.accept(listener)
        proxy.beating = False
        async with asyncio.timeout(1.0):
            await proxy.until(lambda: state(agent, pod) == "shed")
        assert not pod.redirected(listener)
        client.settimeout(5)
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(client.recv, 1)
        with pytest.raises(ConnectionError):
            carried.recv(1)
        proxy.beating = True
        await proxy.until(lambda: state(agent, pod) == "intercepting")
        assert pod.redirected(listener)


@in_loop
async def test_a_kernel_that_breaks_no_connections_ends_nobody(settings, pod, monkeypatch):
    """Where the kernel cannot break what a silent proxy holds, new connections are direct and the agent goes on."""

    def refuse(*_):
        refused.append(True)
        raise OSError(errno.EOPNOTSUPP, "not supported")

    refused = []
    monkeypatch.setattr(SocketDiagnosis, "destroy", refuse)
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        pod.podlike.connect()
        pod.podlike.accept(proxy.listeners[enrol.enrolment][0])
        proxy.beating = False
        await proxy.until(lambda: refused)
        assert state(agent, pod) == "shed"
        proxy.beating = True
        await proxy.until(lambda: state(agent, pod) == "intercepting")


@in_loop
async def test_an_overloaded_proxy_is_left_alone(settings, pod):
    """A late event loop sheds pods at once, and open connections stay."""
    async with enrolled(settings, pod) as (agent, proxy):
        client = pod.podlike.connect()
        proxy.lag = 0.3
        await proxy.until(lambda: state(agent, pod) == "shed")
        assert "300 ms late" in agent.pods[pod.uid].state.why
        client.sendall(b"open")
        proxy.lag = 0.0
        await proxy.until(lambda: state(agent, pod) == "intercepting")


@in_loop
async def test_a_pod_over_its_limit_is_let_go(settings, pod):
    """A pod that takes more than its share is retired with the reason, and left alone."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        proxy.channel.send(Over(enrol.enrolment, "connections"))
        await proxy.until(proxy.retired)
        assert "limit of connections" in proxy.retired()[0].reason
        proxy.drained(enrol.enrolment)
        await proxy.until(lambda: state(agent, pod) == "skipped")
        assert pod.table() is None
