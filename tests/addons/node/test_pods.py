"""Pods that are recorded: real redirects in a real network namespace, and an agent that the test plays."""

import asyncio
import socket
import ssl
import time
from contextlib import asynccontextmanager, suppress

import pytest

from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.channel import Channel, listen
from apisnoop.node.messages import (
    FROM_PROXY,
    Beat,
    Destinations,
    Dial,
    Dialled,
    Drained,
    Enrol,
    Enrolled,
    Hello,
    Identified,
    Identify,
    Leaving,
    Over,
    Renewed,
    Retire,
    Unseen,
)
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.identify import Identify as IdentifyAddon
from apisnoop_addons.node import pods as pods_module
from apisnoop_addons.node.link import AgentLink
from apisnoop_addons.node.pods import LEASES_RAN_OUT, OVER_LIMIT, PASSED_THROUGH, SILENCE, STOOD_STILL, Pods
from apisnoop_addons.record import Record
from apisnoop_addons.stream import Stream
from tests.addons.engine.rig import CATALOGUE
from tests.addons.node.pod_namespace import API, ELSEWHERE, MARK, pod_namespace
from tests.addons.run.pki import Authority
from tests.looped import eventually, in_loop

POD = Caller(node="n1", namespace="shop", pod="web-0", pod_uid="u1", service_account="shop/web")
NAME = "kubernetes.default.svc"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAudit-Id: a1\r\n\r\nok"


class Noted:
    """Records that a test reads."""

    def __init__(self):
        self.began, self.ended, self.not_seen = [], [], []
        self.confirmed = 0.0
        self.ended_at = []

    def begin(self, caller):
        self.began.append(caller.pod)

    def confirm(self):
        self.confirmed = time.time()

    def end(self, caller, reason, at=None):
        self.ended.append((caller.pod, reason))
        self.ended_at.append(at)

    def unseen(self, caller, reason):
        self.not_seen.append((caller.container, reason))


class Node:
    """One node: the proxy's side is real, the agent's is the test's, the pod is a namespace."""

    def __init__(self, namespace, authority):
        self.namespace = namespace
        self.authority = authority
        self.calls, self.records = [], Noted()
        self.heard = asyncio.Queue()
        self.seen_by_server = []
        self.identified = {"container": "app"}
        self.asked = 0
        self.before_identified = lambda: None
        self.agent = None
        self.pods = None
        self.listening = None

    def hear(self, message, _):
        """Answer as an agent does; all but beats and questions is for the test."""
        if isinstance(message, Identify):
            self.asked += 1
            self.before_identified()
            self.agent.send(Identified(message.question, **self.identified))
        elif isinstance(message, Dial):
            with self.namespace.socket(MARK) as sock:
                self.agent.send(Dialled(message.question), [sock])
        elif not isinstance(message, Beat):
            self.heard.put_nowait(message)

    def enrol(self, number=1):
        """Order that the pod is accepted, and lead its connections there."""
        self.agent.send(Destinations((API,)))
        with self.namespace.listen(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            self.agent.send(Enrol(number, POD), [listening])
        self.namespace.redirect(port)
        return port

    async def connect(self):
        """Connect as the pod's program does."""
        sock = self.namespace.socket()
        try:
            await asyncio.get_running_loop().sock_connect(sock, API)
        except OSError:
            sock.close()
            raise
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=NAME)

    def distrust(self):
        """Connect as a program that knows another authority only, and says so."""
        sock = self.namespace.socket()
        sock.settimeout(10)
        sock.connect(API)
        context = ssl.create_default_context(cadata=Authority("another").pem.decode())
        with sock, suppress(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname=NAME).close()

    async def get(self, reader, writer):
        """Make a call."""
        writer.write(b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\nUser-Agent: test/1\r\n\r\n")
        return await reader.readexactly(len(ANSWER))

    async def serve(self, reader, writer):
        """Be the API server for one connection."""
        self.seen_by_server.append(writer.get_extra_info("peername"))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def node(tmp_path, limits=Limits()):  # noqa: B008  frozen
    """Start all of it, and wait until the proxy is there."""
    authority = Authority()
    issued, shown = authority.issue("server", hosts=(NAME,)), authority.issue("proxy", hosts=(NAME,))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issued.certificate + issued.key)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(chain)
    with pod_namespace() as namespace, listen(tmp_path / "agent.sock") as listening:
        one = Node(namespace, authority)
        server = await asyncio.start_server(one.serve, sock=namespace.listen(API), ssl=serving)
        proxy, link = (
            Proxy(Stream(), IdentifyAddon(), Record(CATALOGUE, one.calls.append)),
            AgentLink(tmp_path / "agent.sock"),
        )
        upstream = Upstream(host="", port=0, server_name=NAME, ca_pem=authority.pem)
        one.pods = pods = Pods(
            proxy, link, one.records, upstream, lambda: KeyPair(shown.certificate, shown.key), limits
        )
        await proxy.start()
        tasks = [asyncio.create_task(work) for work in (link.run(pods), pods.run())]
        sock, _ = await asyncio.get_running_loop().sock_accept(listening)
        one.agent = Channel(sock, FROM_PROXY, one.hear, lambda _: None)
        one.listening = listening
        assert await one.heard.get() == Hello()
        try:
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await proxy.stop()
            one.agent.close()
            server.close()
            await server.wait_closed()


async def refused(address, source):
    """Tell whether a connection from another address is closed before anything is said."""
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


@asynccontextmanager
async def serving_here(one, tmp_path):
    """Have the API server in the proxy's own network, too; gives its address. Other connections of pods are as ever."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "chain.pem")
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=serving)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await server.wait_closed()


@in_loop
async def test_a_pods_calls_are_recorded_as_its_own(tmp_path):
    """The call reaches the server it was meant for, from the pod's namespace, and the record names the container."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        assert one.records.began == ["web-0"]
        reader, writer = await one.connect()
        assert await one.get(reader, writer) == ANSWER
        await eventually(lambda: one.calls)
        writer.close()
    (call,) = one.calls
    assert (call.caller.pod, call.caller.container) == ("web-0", "app")
    assert call.caller.service_account == ""  # it carried no token: the pod's account has not made it
    assert (call.path, call.status, call.audit_id) == ("/api/v1/nodes", 200, "a1")
    assert one.seen_by_server[0][0] == API[0]


@in_loop
async def test_connections_that_come_by_network_go_where_the_agent_says(tmp_path):
    """Nothing tells where each was going, and the proxy connects there in its own network, without asking the agent."""
    async with node(tmp_path) as one, serving_here(one, tmp_path) as upstream:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            one.agent.send(Enrol(1, POD, upstream, ("127.0.0.1",)), [listening])
        assert await one.heard.get() == Enrolled(1)
        context = ssl.create_default_context(cadata=one.authority.pem.decode())
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)
        assert await one.get(reader, writer) == ANSWER
        await eventually(lambda: one.calls)
        writer.close()
        assert await refused(address, "127.0.0.2")
        again = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)
        assert await one.get(*again) == ANSWER
        again[1].close()
    assert (one.calls[0].caller.pod, one.calls[0].caller.container) == ("web-0", "app")


@in_loop
async def test_connections_to_anywhere_else_are_closed(tmp_path):
    """What is not the API is not carried, were it led here ever so well; nor is who connects to the listener itself."""
    async with node(tmp_path) as one:
        port = one.enrol()
        assert await one.heard.get() == Enrolled(1)
        for address in (ELSEWHERE, ("127.0.0.1", port)):
            sock = one.namespace.socket()
            await asyncio.get_running_loop().sock_connect(sock, address)
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.write(b"\x16\x03\x01")
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
    assert not one.seen_by_server
    assert not one.calls


@in_loop
async def test_a_retired_pod_keeps_its_connections_unrecorded(tmp_path):
    """What is open goes on until its client ends it; then the agent hears that the table may go."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1))
        await eventually(lambda: one.records.ended)
        assert await one.get(reader, writer) == ANSWER
        writer.close()
        assert await one.heard.get() == Drained(1)
    assert one.records.ended == [("web-0", "off")]
    assert len(one.calls) == 1


def shown_by(writer):
    """Name who ended the TLS of a connection: the proxy, or the server itself."""
    ((_, name),) = writer.get_extra_info("peercert")["subject"][-1]
    return name


@in_loop
async def test_who_comes_just_after_a_pod_is_retired_is_passed_through(tmp_path, monkeypatch):
    """What was on its way when the agent emptied its set is neither refused nor looked into."""
    monkeypatch.setattr(pods_module, "LINGER_SECONDS", 3600)
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        before = await one.connect()
        assert shown_by(before[1]) == "proxy"
        one.agent.send(Retire(1))
        await eventually(lambda: one.records.ended)
        late = await one.connect()
        assert shown_by(late[1]) == "server"
        assert await one.get(*late) == ANSWER
        assert one.asked == 1, "nobody needs to know which container it is of"
        for _, writer in (before, late):
            writer.close()
    assert not one.calls


@in_loop
async def test_a_while_after_a_pod_is_retired_nobody_listens(tmp_path, monkeypatch):
    """The agent hears that no connection is left and none will come."""
    monkeypatch.setattr(pods_module, "LINGER_SECONDS", 0.01)
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.agent.send(Retire(1))
        assert await one.heard.get() == Drained(1)
        with pytest.raises(ConnectionRefusedError):
            await one.connect()


@in_loop
async def test_who_is_about_to_be_admitted_when_a_pod_is_retired_is_passed_through(tmp_path):
    """The agent's answer comes after its order."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.before_identified = lambda: one.agent.send(Retire(1))
        reader, writer = await one.connect()
        assert shown_by(writer) == "server"
        assert await one.get(reader, writer) == ANSWER
        writer.close()


@in_loop
async def test_what_a_retired_pod_still_has_is_cut_when_it_ends(tmp_path):
    """Its namespace must not outlive it, and nobody is left who could come late."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1))
        one.agent.send(Retire(1, cut=True, reason=POD_ENDED))
        with suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        assert await one.heard.get() == Drained(1)
        writer.close()
    assert one.records.ended == [("web-0", "off")]


@in_loop
async def test_cut_means_cut(tmp_path):
    """A pod that is let go at once has its connections closed."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.send(Retire(1, cut=True, reason="overload"))
        with suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        assert await one.heard.get() == Drained(1)
        writer.close()
    assert one.records.ended == [("web-0", "overload")]


@in_loop
async def test_leases_that_run_out_are_a_gap(tmp_path):
    """When the agent stops renewing, recording has lapsed; when it renews again, it resumes."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.agent.send(Renewed(time.time() + 0.05))
        await eventually(lambda: one.records.ended)
        assert one.records.ended == [("web-0", LEASES_RAN_OUT)]
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: len(one.records.began) == 2)


@in_loop
async def test_why_the_agent_leads_nothing_here_is_the_gaps_reason(tmp_path):
    """Who reads of a gap learns that the proxy was overloaded, not that a lease ended."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.agent.send(Renewed(time.time(), "the proxy is overloaded"))
        await eventually(lambda: one.records.ended)
        assert one.records.ended == [("web-0", "the proxy is overloaded")]


@in_loop
async def test_who_is_off_while_it_is_shed_has_a_gap_that_ends(tmp_path):
    """Once nobody wants the pod recorded, nothing is missing any more."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.agent.send(Renewed(time.time(), "the proxy is overloaded"))
        await eventually(lambda: one.records.ended)
        one.agent.send(Retire(1))
        await eventually(lambda: len(one.records.ended) == 2)
    assert one.records.began == ["web-0", "web-0"]
    assert one.records.ended == [("web-0", "the proxy is overloaded"), ("web-0", "off")]


@in_loop
async def test_a_proxy_that_ends_has_nothing_new_led_to_it_first(tmp_path):
    """It asks, and its listeners stay until the agent has answered; a lost agent is an answer, too."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        leaving = asyncio.create_task(one.pods.leave())
        assert await one.heard.get() == Leaving()
        assert not leaving.done()
        one.agent.send(Renewed(time.time(), "the proxy ends"))
        await leaving
        leaving = asyncio.create_task(one.pods.leave())
        assert await one.heard.get() == Leaving()
        one.agent.close()
        await leaving


@in_loop
async def test_a_proxy_that_stood_still_says_since_when(tmp_path):
    """Nothing was recorded from its last beat on; it is again when the agent renews, not by what it said before."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: one.records.confirmed)
        confirmed = one.records.confirmed
        time.sleep(SILENCE + 0.3)  # noqa: ASYNC251 - all of the process stands still, as when it is stopped
        one.agent.send(Renewed(time.time() - 0.1))
        await eventually(lambda: one.records.ended)
        assert one.records.ended[0][1] in {STOOD_STILL, LEASES_RAN_OUT}
        assert abs(one.records.ended_at[0] - confirmed) < SILENCE / 2
        assert one.records.began == ["web-0"]
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: len(one.records.began) == 2)


@in_loop
async def test_a_lease_that_ran_out_while_the_proxy_stood_still_was_over_before(tmp_path):
    """Whichever is noticed first, nothing was recorded from the last beat on."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        await eventually(lambda: one.records.confirmed)
        confirmed = one.records.confirmed
        one.pods.renewed(time.time() + SILENCE + 0.1)
        time.sleep(SILENCE + 0.3)  # noqa: ASYNC251 - all of the process stands still, as when it is stopped
        await eventually(lambda: one.records.ended)
        assert abs(one.records.ended_at[0] - confirmed) < SILENCE / 2


@in_loop
async def test_a_lost_agent_leaves_open_connections_alone(tmp_path):
    """They go on; recording has lapsed; the next agent enrols anew and the pod is recorded again."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.close()
        await eventually(lambda: one.records.ended)
        assert await one.get(reader, writer) == ANSWER
        sock, _ = await asyncio.get_running_loop().sock_accept(one.listening)
        one.agent = Channel(sock, FROM_PROXY, one.hear, lambda _: None)
        assert await one.heard.get() == Hello()
        with one.namespace.listen(("127.0.0.1", 0)) as listening:
            one.agent.send(Enrol(1, POD), [listening])
        assert await one.heard.get() == Enrolled(1)
        writer.close()
    assert one.records.began == ["web-0", "web-0"]
    reason = one.records.ended[0][1]
    assert reason.startswith("the node agent was lost") or reason == STOOD_STILL  # a starved machine makes it stand


@in_loop
async def test_a_client_that_does_not_trust_us_is_told_of(tmp_path):
    """Its connection is closed before anything is sent on, and the agent hears which container it was."""
    async with node(tmp_path) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        await asyncio.to_thread(one.distrust)
        assert await one.heard.get() == Unseen(1, "app", "certificate-rejected")
    assert one.records.not_seen == [("app", "certificate-rejected")]
    assert not one.seen_by_server


@in_loop
async def test_untouched_connections_reach_the_server_itself(tmp_path):
    """TLS is between client and server; that the connection was not seen is counted."""
    async with node(tmp_path) as one:
        one.identified = {"container": "app", "untouched": True}
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        reader, writer = await one.connect()
        assert await one.get(reader, writer) == ANSWER
        writer.close()
    assert one.records.not_seen == [("app", PASSED_THROUGH)]
    assert not one.calls


@in_loop
async def test_connections_over_a_pods_limit_are_passed_through(tmp_path):
    """The agent is told, which lets the pod go; until then its client meets the server itself, as without us."""
    async with node(tmp_path, Limits(connections=1, passed_on=1)) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        first = await one.connect()
        second = await one.connect()
        assert await one.heard.get() == Over(1, "connections")
        assert [shown_by(writer) for _, writer in (first, second)] == ["proxy", "server"]
        assert await one.get(*second) == ANSWER
        assert one.asked == 1, "nobody needs to know which container it is of"
        for _, writer in (first, second):
            writer.close()
    assert one.records.not_seen == [("", OVER_LIMIT)]
    assert not one.calls


@in_loop
async def test_a_socket_that_cannot_be_served_is_refused(tmp_path):
    """The agent hears why, and leads nothing here."""
    async with node(tmp_path) as one:
        one.agent.send(Destinations((API,)))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wrong:
            one.agent.send(Enrol(1, POD), [wrong])
        refused = await one.heard.get()
    assert refused.enrolment == 1
    assert refused.reason
    assert not one.records.began
