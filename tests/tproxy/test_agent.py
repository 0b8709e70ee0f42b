"""The agent with pods that are network namespaces, and a proxy on the wire that carries nothing by itself."""

import asyncio

import msgspec
import pytest

from apisnoop.node.messages import Destinations, Dial, Dialled, Identified, Identify, Renewed, Unseen
from apisnoop_tproxy import pod_control
from apisnoop_tproxy.nft import remove_table
from tests.looped import in_loop
from tests.tproxy.certificates import Authority
from tests.tproxy.fake_pod import CONTAINER, NO, RESET, YES, enrolled, running, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API, POD_ADDRESS


def unread(agent, pod):
    """Say which connections could not be read."""
    return agent.pods[pod.uid].unreadable.reasons


@in_loop
async def test_a_wanted_pod_is_led_to_the_proxy(settings, pod):
    """The proxy learns the API's addresses and whose connections come; then new ones arrive at its listener."""
    async with enrolled(settings, pod) as (_, proxy):
        assert proxy.heard[0] == Destinations((API,))
        enrol = await proxy.enrolled()
        caller = enrol.caller
        assert (caller.node, caller.namespace, caller.pod, caller.pod_uid) == ("node1", "shop", "web", pod.uid)
        assert (caller.workload, caller.service_account, caller.container) == ("deployment/web", "shop/web", "")
        assert pod.redirected(proxy.listeners[enrol.enrolment][0])
        renewals = len([one for one in proxy.heard if isinstance(one, Renewed)])
        await proxy.until(lambda: len([one for one in proxy.heard if isinstance(one, Renewed)]) > renewals)


@in_loop
async def test_a_connections_container_is_known(settings, pod):
    """Asked for a connection, the agent names the container that opened it, and gives a socket past the rule."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        _, source = await asyncio.to_thread(pod.connect)
        proxy.channel.send(Identify(1, enrol.enrolment, source, API))
        proxy.channel.send(Dial(2, enrol.enrolment, API))
        await proxy.until(lambda: 2 in proxy.dialled)
        await proxy.until(lambda: Identified(1, "app") in proxy.heard)
        upstream = proxy.dialled[2]
        upstream.settimeout(5)
        upstream.connect(API)
        pod.api.settimeout(5)
        accepted, _ = pod.api.accept()
        accepted.close()
        proxy.channel.send(Unseen(enrol.enrolment, "app", "client-certificate"))
        proxy.channel.send(Identify(3, enrol.enrolment, source, API))
        await proxy.until(lambda: Identified(3, "app", untouched=True) in proxy.heard)
        assert agent.pods[pod.uid].unreadable.reasons == {"client-certificate": 1}


@in_loop
async def test_no_socket_is_given_to_anywhere_else(settings, pod):
    """A connection may be carried on to where the API is, or was when it was opened; to nowhere else."""
    elsewhere = ("10.89.0.2", 6443)
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        proxy.channel.send(Dial(1, enrol.enrolment, elsewhere))
        await proxy.until(lambda: Dialled(1, "the API server is not there") in proxy.heard)
        agent.destine([elsewhere])
        proxy.channel.send(Dial(2, enrol.enrolment, elsewhere))
        proxy.channel.send(Dial(3, enrol.enrolment, API))
        await proxy.until(lambda: {2, 3} <= proxy.dialled.keys())
        assert 1 not in proxy.dialled


@in_loop
async def test_a_client_in_a_hurry_is_not_given_up(settings, pod):
    """Handshakes that a client left are a reason to pass its container through only when they are several."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        for number in range(1, 6):
            assert "app" not in agent.pods[pod.uid].unreadable
            proxy.channel.send(Unseen(enrol.enrolment, "app", "handshake-abandoned"))
            await proxy.until(lambda number=number: unread(agent, pod) == {"handshake-abandoned": number})
        assert "app" in agent.pods[pod.uid].unreadable


@in_loop
async def test_off_lets_open_connections_end_before_the_table_goes(settings, pod):
    """When it is wanted no more, new connections are direct at once; the table goes with the last open one."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        listener = proxy.listeners[enrol.enrolment][0]
        client = pod.podlike.connect()
        listener.settimeout(5)
        carried, _ = listener.accept()
        agent.update(pod.facts, NO)
        await proxy.until(proxy.retired)
        assert [(one.enrolment, one.cut, one.reason) for one in proxy.retired()] == [(enrol.enrolment, False, "")]
        assert not pod.redirected(listener)
        client.sendall(b"still open")
        assert carried.recv(20) == b"still open"
        await proxy.until(lambda: state(agent, pod) == "draining")
        assert pod.table() is not None
        client.close()
        carried.close()
        proxy.drained(enrol.enrolment)
        await proxy.until(lambda: state(agent, pod) == "off")
        assert pod.table() is None
        assert agent.pods[pod.uid].presence is None


@in_loop
async def test_a_pod_that_would_refuse_us_is_not_touched(settings, pod):
    """A pod with another authority is skipped with the reason, and has no table."""
    pod.ca_file.write_bytes(Authority("other").pem)
    async with running(settings) as agent:
        proxy = FakeProxy(settings.socket)
        agent.update(pod.facts, YES)
        await proxy.until(lambda: state(agent, pod) == "skipped")
        assert "does not accept our certificate" in agent.pods[pod.uid].state.why
        assert pod.table() is None
        proxy.close()


@in_loop
async def test_a_rule_that_somebody_removed_comes_back(settings, pod):
    """A renewal that finds no table retires the enrolment with the reason and makes another."""
    async with enrolled(settings, pod) as (agent, proxy):
        pod.podlike.run(remove_table)
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == "its rule was removed by somebody else"
        await proxy.until(lambda: state(agent, pod) == "intercepting" and pod.table() is not None)


@in_loop
async def test_older_connections_are_counted_or_reset(settings, pod):
    """Connections older than the rule stay and are counted, or are reset where that is asked for."""
    before = pod.podlike.connect()
    async with enrolled(settings, pod) as (agent, _):
        assert agent.pods[pod.uid].existing() == 1
        before.sendall(b"open")
    async with enrolled(settings, pod, wanted=RESET):
        await broken(before)


@in_loop
async def test_older_connections_of_a_recorded_pod_are_reset_when_that_is_asked_for(settings, pod):
    """It is said to a pod whose older connections have been counted, and breaks them once."""
    before = pod.podlike.connect()
    async with enrolled(settings, pod) as (agent, _):
        agent.update(pod.facts, RESET)
        await broken(before)
        assert agent.pods[pod.uid].existing() == 0


@in_loop
async def test_a_reset_waits_for_a_proxy_that_is_well(settings, pod):
    """While pods are led past it, breaking their connections would have nobody recorded."""
    before = pod.podlike.connect()
    async with enrolled(settings, pod) as (agent, proxy):
        proxy.lag = 0.3
        await proxy.until(lambda: state(agent, pod) == "shed")
        agent.update(pod.facts, RESET)
        await proxy.until(lambda: not agent.pods[pod.uid].touched.is_set())
        assert agent.pods[pod.uid].existing() == 1
        proxy.lag = 0.0
        await broken(before)
        assert state(agent, pod) == "intercepting"


async def broken(connection):
    """Wait until a connection is reset."""
    connection.settimeout(5)
    with pytest.raises(ConnectionError):
        await asyncio.to_thread(connection.recv, 1)


@in_loop
async def test_a_pod_is_entered_before_the_api_server_knows_its_address(settings, pod, tmp_path):
    """What the container runtime has noted of it is enough; another pod's note is not."""
    early = msgspec.structs.replace(pod.facts, starting=True, addresses=frozenset())
    notes = tmp_path / "cni" / "results"
    notes.mkdir(parents=True)
    noting = msgspec.structs.replace(settings, cni=tmp_path / "cni")
    async with running(noting) as agent:
        proxy = FakeProxy(settings.socket)
        agent.update(early, YES)
        await proxy.until(lambda: agent.pods[pod.uid].state.why == "it has no address yet")
        (notes / f"pods-{CONTAINER}-eth0").write_text('{"result": {"ips": [{"address": "10.9.9.9/24"}]}}')
        await proxy.until(lambda: "10.9.9.9" in agent.pods[pod.uid].state.why)
        (notes / f"pods-{CONTAINER}-eth0").write_text(f'{{"result": {{"ips": [{{"address": "{POD_ADDRESS}/24"}}]}}}}')
        await proxy.until(lambda: state(agent, pod) == "intercepting")
        proxy.close()


@in_loop
async def test_a_new_certificate_is_tried_at_once(settings, pod):
    """A pod that accepts it no longer is let go with the reason, and taken up again with one that it accepts."""
    good = settings.certificate.read_bytes()
    async with enrolled(settings, pod) as (agent, proxy):
        settings.certificate.write_bytes(Authority("other").issue("kubernetes.default.svc"))
        await proxy.until(proxy.retired)
        assert "does not accept our certificate" in proxy.retired()[0].reason
        await proxy.until(lambda: state(agent, pod) == "skipped")
        settings.certificate.write_bytes(good)
        await proxy.until(lambda: state(agent, pod) == "intercepting")


@in_loop
async def test_a_pods_new_authority_is_noticed(settings, pod, monkeypatch):
    """When the pod's own ca.crt does not accept us any more, the next look lets it go."""
    monkeypatch.setattr(pod_control, "LATER", 0.2)
    async with enrolled(settings, pod) as (agent, proxy):
        pod.ca_file.write_bytes(Authority("other").pem)
        await proxy.until(proxy.retired)
        assert "does not accept our certificate" in proxy.retired()[0].reason
        await proxy.until(lambda: state(agent, pod) == "skipped")
