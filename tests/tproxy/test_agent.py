"""The agent with pods that are network namespaces, and a proxy on the wire that carries nothing by itself."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import uuid
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.messages import Destinations, Dial, Identified, Identify, Over, Renewed, Unseen
from apisnoop.node.wanted import Marks, Wanted
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.containers import unified_hierarchy
from apisnoop_tproxy.nft import apply_rules, find_table, remove_table
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.rules import Redirect, render_table
from apisnoop_tproxy.settings import Settings
from tests.looped import in_loop
from tests.tproxy.certificates import Authority
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API, POD_ADDRESS

YES = Wanted(True, "apisnoop=true on pod web")
NO = Wanted(False, "nothing asks for it")
CONTAINER = "c0" * 32
CLIENT = """
import socket, sys
with socket.create_connection(("10.96.0.1", 443), timeout=5) as sock:
    print(*sock.getsockname(), flush=True)
    sys.stdin.read()
"""


class FakePod:
    """A process in a network namespace and in a pod's control group, and what the API server would say of it."""

    def __init__(self, podlike, kubelet):
        self.podlike = podlike
        self.uid = str(uuid.uuid4())
        hierarchy = unified_hierarchy(Path("/proc/self"))
        if hierarchy is None:
            pytest.skip("no unified hierarchy is mounted")
        self.folder = hierarchy / f"apisnoop-test-{os.getpid()}" / f"pod{self.uid}"
        (self.folder / CONTAINER).mkdir(parents=True)
        self.started = []
        self.process = self.start("import sys; sys.stdin.read()")
        volume = kubelet / "pods" / self.uid / "volumes/kubernetes.io~projected/kube-api-access-abcde"
        volume.mkdir(parents=True)
        self.ca_file = volume / "ca.crt"
        self.facts = PodFacts(
            uid=self.uid,
            namespace="shop",
            name="web",
            marks=Marks("pod web"),
            service_account="shop/web",
            addresses=frozenset({POD_ADDRESS}),
            containers={CONTAINER: "app"},
        )

    def start(self, code):
        """Start a Python program in the container."""
        group = self.folder / CONTAINER / "cgroup.procs"

        def join():
            os.setns(self.podlike.namespace, os.CLONE_NEWNET)
            group.write_text("0")

        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=join,  # noqa: PLW1509 - it only makes system calls
        )
        self.started.append(process)
        return process

    def connect(self):
        """Open an API connection from inside the container; return its process and the near end."""
        process = self.start(CLIENT)
        host, port = process.stdout.readline().split()
        return process, (host, int(port))

    def end(self):
        """End all its processes."""
        for process in self.started:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.started = []

    def close(self):
        """Leave nothing behind."""
        self.end()
        for folder in (self.folder / CONTAINER, self.folder, self.folder.parent):
            with suppress(OSError):
                folder.rmdir()

    def table(self):
        """Look for our table."""
        return self.podlike.run(find_table)

    def redirected(self, listener):
        """Tell whether a new connection is led to the proxy."""
        with self.podlike.connect():
            listener.settimeout(0.2)
            try:
                listener.accept()[0].close()
            except TimeoutError:
                return False
            return True


@pytest.fixture
def settings(tmp_path):
    """Give settings with a certificate that the pod accepts."""
    return Settings(node="node1", socket=tmp_path / "agent.sock", certificate=tmp_path / "tls.crt", kubelet=tmp_path)


@pytest.fixture
def pod(podlike, settings):
    """Give a pod whose API server answers directly."""
    authority = Authority()
    settings.certificate.write_bytes(authority.issue("kubernetes.default.svc"))
    found = FakePod(podlike, settings.kubelet)
    found.ca_file.write_bytes(authority.pem)
    found.api = podlike.server()
    yield found
    found.close()


@asynccontextmanager
async def running(settings):
    """Run an agent that knows where the API is."""
    agent = Agent(settings, lambda *_: None, host=Path("/proc/self"))
    agent.destine([API])
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)  # it listens from its first step on
    try:
        yield agent
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def enrolled(settings, pod, wanted=YES):
    """Run an agent and a proxy to which a pod's connections are led."""
    async with running(settings) as agent:
        proxy = FakeProxy(settings.socket)
        try:
            agent.update(pod.facts, wanted, "deployment/web")
            await proxy.enrolled()
            await proxy.until(lambda: state(agent, pod) == "intercepting")
            yield agent, proxy
        finally:
            proxy.close()


def state(agent, pod):
    """Say what is so."""
    return agent.pods[pod.uid].state.name


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
        assert Identified(1, "app") in proxy.heard
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
    async with enrolled(settings, pod, wanted=msgspec.structs.replace(YES, reset=True)):
        before.settimeout(5)
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(before.recv, 1)


@in_loop
async def test_an_agent_that_ends_leaves_nothing(settings, pod):
    """At its end the agent deletes every table that carries nothing."""
    async with enrolled(settings, pod):
        assert pod.table() is not None
    assert pod.table() is None


@in_loop
async def test_recording_ends_at_its_time(settings, pod):
    """A pod whose time is over is let go without anybody saying so."""
    async with enrolled(settings, pod, wanted=msgspec.structs.replace(YES, until=time.time() + 0.5)) as (agent, proxy):
        await proxy.until(proxy.retired)
        assert proxy.retired()[0].reason == ""
        await proxy.until(lambda: state(agent, pod) == "draining")
