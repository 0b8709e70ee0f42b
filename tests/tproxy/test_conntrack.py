"""Connections that were reset, and the next from the same port: led as the rule says, not as the last one was."""

import asyncio
import errno
import logging
import os
import select
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest

from apisnoop_tproxy import conntrack, netfilter, presence, sweep
from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.netlink import Netlink
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER
from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.presence import Presence
from apisnoop_tproxy.rules import Redirect
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.sweep import AFTER
from tests.looped import eventually, in_loop
from tests.tproxy.fake_pod import NO, YES, enrolled, running, state
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API, API6

ELSEWHERE = ("10.96.0.1", 80)
PORT, OTHER_PORT = 40_000, 40_001
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time."""
TCP_REPAIR = 19
"""Of linux/tcp.h."""
SECONDS = 30
ESTABLISHED, TIME_WAIT, CLOSE, SYN_SENT = 3, 7, conntrack.CLOSE, conntrack.SYN_SENT
LONG = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close")
TRACKED = """
table inet guard {
    chain output {
        type filter hook output priority 0; policy accept;
        ct state invalid counter
    }
}
"""
"""Somebody else's table, which has the kernel track connections whether ours is there or not."""


@pytest.fixture
def tracked(podlike):
    """Give a pod whose connections are tracked, and what was reset not forgotten by itself during the test."""
    podlike.run(lambda: apply_rules(TRACKED))
    podlike.run(lambda: LONG.write_text("600"))
    return podlike


def prepare(podlike, source, family=socket.AF_INET):
    """Make a socket inside that connects from a port of one's choice, whatever was there before."""
    client = podlike.run(lambda: socket.socket(family))
    client.settimeout(SECONDS)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(((API6 if family == socket.AF_INET6 else API)[0], source))
    return client


def connect(podlike, source, address=API):
    """Connect from a port of one's choice."""
    client = prepare(podlike, source, socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    client.connect(address)
    return client


def reset(near, client):
    """End a connection from the server's side without a FIN."""
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    near.close()
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)


def vanish(near, client):
    """Have a connection's sockets go without a word: tracking keeps it as it was, as after a reset that it doubts."""
    for end in (near, client):
        end.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        end.close()


ENDS = [(reset, CLOSE), (vanish, ESTABLISHED)]
"""Ways to end that tracking takes for none, and the state in which it keeps the connection."""


def flows(podlike):
    """List what tracking has of TCP: wanted destination, where it really goes, and state."""

    def look():
        netlink = Netlink(NETLINK_NETFILTER)
        try:
            found = [netlink.ask(conntrack.encode_list(one)) for one in (socket.AF_INET, socket.AF_INET6)]
        finally:
            netlink.close()
        parsed = [conntrack.parse_flow(answer.payload) for answers in found for answer in answers]
        return {(flow.destination, flow.answerer, flow.state) for flow in parsed}

    return podlike.run(look)


def reset_ones(podlike):
    """List what has ended by a reset."""
    return [one for one in flows(podlike) if one[2] == CLOSE]


def forget(podlike, ports=(), destinations=(API,)):
    """Forget what has ended."""
    return podlike.run(lambda: conntrack.forget_ended(destinations, ports))


@pytest.fixture
def ours(podlike):
    """Give what is ours in the pod."""
    netfilter = podlike.netfilter()
    yield Presence(SimpleNamespace(namespace=podlike.namespace, netfilter=netfilter), Succession("0b"))
    netfilter.close()


@in_loop
async def test_a_pod_without_tracked_connections_is_not_entered(podlike, ours, monkeypatch):
    """When two hundred are enrolled at once, none of them has any."""
    with monkeypatch.context() as patched:
        patched.setattr(presence, "in_namespace", lambda *_: pytest.fail("it was entered"))
        await ours.forget_ended([API])


def redirect_to(listener):
    """Lead to a listener for as long as a test may take."""
    return Redirect("0b", {listener.family: listener.getsockname()[1]}, 600.0)


@pytest.mark.parametrize(("end", "state"), ENDS)
@pytest.mark.parametrize(("address", "loopback"), [(API, "127.0.0.1"), (API6, "::1")])
@in_loop
async def test_a_port_from_which_a_direct_connection_was_reset_is_led(tracked, ours, address, loopback, end, state):
    """The server has reset it before the rule came; the next from there does not go past the rule for that."""
    server, listener = tracked.server(address), tracked.server((loopback, 0))
    client = connect(tracked, PORT, address)
    end(tracked.accept(server), client)
    assert (address, address, state) in flows(tracked)
    await ours.act(redirect_to(listener), [address])
    await ours.forget_ended([address])
    with connect(tracked, PORT, address):
        assert tracked.accept(listener).getpeername()[1] == PORT


@in_loop
async def test_a_pod_with_many_open_connections_is_not_looked_through(tracked, monkeypatch):
    """To look for the socket of each takes long; what has ended in the kernel's eyes does not count for many."""
    server = tracked.server()
    for port in (PORT, OTHER_PORT):
        vanish(connect(tracked, port), tracked.accept(server))
    with connect(tracked, PORT + 2), tracked.accept(server):
        pass
    await eventually(lambda: {state for *_, state in flows(tracked)} == {ESTABLISHED, TIME_WAIT})
    monkeypatch.setattr(conntrack, "MOST_OPEN", 1)
    assert forget(tracked) == 0
    monkeypatch.setattr(conntrack, "MOST_OPEN", 2)
    assert forget(tracked) == 2


def mapped(podlike):
    """Connect over IPv4 from a socket of IPv6."""
    client = podlike.run(lambda: socket.socket(socket.AF_INET6))
    client.connect((f"::ffff:{API[0]}", API[1]))
    return client


def bound(podlike):
    """Connect from a socket that is bound to a device, which to be looked for by its addresses alone is not found."""
    client = podlike.run(lambda: socket.socket(socket.AF_INET))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    client.connect(API)
    return client


def half_closed(podlike):
    """Connect, and say that nothing more will be said."""
    client = podlike.connect()
    client.shutdown(socket.SHUT_WR)
    return client


@pytest.mark.parametrize("begin", [mapped, bound, half_closed])
def test_what_has_a_socket_stays(tracked, begin):
    """Of whatever kind it is."""
    server = tracked.server()
    with begin(tracked), tracked.accept(server):
        vanish(connect(tracked, PORT), tracked.accept(server))
        assert forget(tracked) == 1
        assert {(destination, answerer) for destination, answerer, _ in flows(tracked)} == {(API, API)}


def test_a_kernel_that_cannot_tell_sockets_has_nothing_forgotten(tracked, monkeypatch):
    """That one is not found means nothing then."""
    server = tracked.server()
    vanish(connect(tracked, PORT), tracked.accept(server))

    def refuse(*_):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(SocketDiagnosis, "towards", refuse)
    monkeypatch.setattr(SocketDiagnosis, "find", lambda *_: None)
    with pytest.raises(FileNotFoundError):
        forget(tracked)
    assert flows(tracked) == {(API, API, ESTABLISHED)}


def test_what_a_pod_only_passes_on_is_not_missed_by_its_socket(tracked, monkeypatch):
    """A container in the container has an address of its own, and its sockets elsewhere."""
    server = tracked.server()
    client = connect(tracked, PORT)
    vanish(client, tracked.accept(server))
    with monkeypatch.context() as patched:
        patched.setattr(conntrack, "local_addresses", lambda: frozenset({"172.17.0.1"}))
        assert forget(tracked) == 0
    assert forget(tracked) == 1


@pytest.mark.parametrize(("end", "state"), ENDS)
@in_loop
async def test_a_port_from_which_a_led_connection_was_reset_is_not_led_where_nobody_listens(tracked, ours, end, state):
    """The proxy has ended without a word; the next from there reaches the API server."""
    server, listener = tracked.server(), tracked.server(("127.0.0.1", 0))
    redirect = redirect_to(listener)
    await ours.act(redirect, [API])
    client = connect(tracked, PORT)
    end(tracked.accept(listener), client)
    assert (API, ("127.0.0.1", redirect.ports[socket.AF_INET]), state) in flows(tracked)
    listener.close()
    ours.renew(redirect, [])
    await ours.forget_ended([API])
    with connect(tracked, PORT):
        assert tracked.accept(server).getpeername()[1] == PORT


@in_loop
async def test_a_client_that_waits_for_a_listener_that_has_gone_reaches_the_server(tracked, ours):
    """Its first packet was led to a queue that was full, and the next that it sends goes the rule says then."""
    server = tracked.server()
    listener = tracked.run(lambda: socket.create_server(("127.0.0.1", 0), backlog=0))
    await ours.act(redirect_to(listener), [API])
    port = listener.getsockname()[1]
    with connect(tracked, PORT), prepare(tracked, OTHER_PORT) as waiting:
        waiting.setblocking(False)
        assert waiting.connect_ex(API) == errno.EINPROGRESS
        assert (API, ("127.0.0.1", port), SYN_SENT) in flows(tracked)
        ours.renew(redirect_to(listener), [])
        assert forget(tracked, [port]) == 0  # somebody listens, and may answer at any moment
        listener.close()
        assert forget(tracked, []) == 1  # the one in the queue was reset; the port might be somebody else's
        assert forget(tracked, [port]) == 1
        assert select.select([], [waiting], [], SECONDS)[1]
        assert waiting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert tracked.accept(server).getpeername()[1] == OTHER_PORT


@in_loop
async def test_whatever_else_is_tracked_stays(tracked, ours):
    """Connections that are open, led or not, and those to elsewhere, however they have ended."""
    server, elsewhere, listener = tracked.server(), tracked.server(ELSEWHERE), tracked.server(("127.0.0.1", 0))
    direct = tracked.connect()
    near = tracked.accept(server)
    await ours.act(redirect_to(listener), [API])
    led = tracked.connect()
    carried = tracked.accept(listener)
    for address, accepting in ((ELSEWHERE, elsewhere), (API, listener)):
        client = connect(tracked, PORT, address)
        reset(tracked.accept(accepting), client)
    before = flows(tracked)
    through = ("127.0.0.1", listener.getsockname()[1])
    assert before >= {(API, API, ESTABLISHED), (API, through, ESTABLISHED), (ELSEWHERE, ELSEWHERE, CLOSE)}
    assert forget(tracked, [through[1]]) == 1
    assert flows(tracked) == before - {(API, through, CLOSE)}
    for one, other in ((direct, near), (led, carried)):
        one.sendall(b"still here")
        other.settimeout(SECONDS)
        assert other.recv(20) == b"still here"


def test_a_port_that_is_used_again_meanwhile_is_left_alone(tracked, monkeypatch):
    """Between the list and the order to forget, a connection may have begun in place of the one that was reset."""
    server = tracked.server()
    client = connect(tracked, PORT)
    reset(tracked.accept(server), client)
    clients = []

    def use_again(*_):
        clients.append(connect(tracked, PORT))
        return set()

    monkeypatch.setattr(conntrack, "_deserted", use_again)
    assert forget(tracked) == 0
    assert flows(tracked) == {(API, API, ESTABLISHED)}
    clients[0].close()


def test_a_table_that_is_too_large_is_left_alone(tracked, monkeypatch):
    """A pod may fill it on purpose: nothing of it is listed then, and never is too much forgotten at a time."""
    server = tracked.server()
    for port in (PORT, OTHER_PORT):
        client = connect(tracked, port)
        reset(tracked.accept(server), client)
    monkeypatch.setattr(conntrack, "MOST", 1)
    assert forget(tracked) == 0
    monkeypatch.setattr(conntrack, "MOST", 2)
    monkeypatch.setattr(conntrack, "MOST_FORGOTTEN", 1)
    assert forget(tracked) == 1
    assert forget(tracked) == 1
    assert forget(tracked) == 0


def test_a_pod_that_tracks_nothing_is_not_listed(podlike, monkeypatch):
    """A new pod has nothing to forget, and to list that would take as long as ever."""

    def refuse(*_):
        raise AssertionError("it was listed")

    monkeypatch.setattr(conntrack, "_list", refuse)
    assert forget(podlike) == 0


@in_loop
async def test_a_kernel_without_ctnetlink_is_led_all_the_same(podlike, ours, monkeypatch, caplog):
    """The rule comes as ever; one line for those who debug says what is not done."""

    def refuse(*_):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(netfilter, "count_tracked", refuse)
    caplog.set_level(logging.DEBUG, "apisnoop_tproxy.presence")
    listener = podlike.server(("127.0.0.1", 0))
    await ours.act(redirect_to(listener), [API])
    await ours.forget_ended([API])
    with connect(podlike, PORT):
        assert podlike.accept(listener).getpeername()[1] == PORT
    assert [one.message for one in caplog.records] == [
        "connections that have ended are not forgotten: Invalid argument"
    ]


@pytest.mark.parametrize("payload", [b"", b"\x02\0\0\0", b"\x07\0\0\0" + bytes(64), b"\x02\0\0\0" + b"\xff" * 64])
def test_what_cannot_be_read_is_nothing(payload):
    """What has no tuple is never named again: to delete without one is to delete all."""
    assert conntrack.parse_flow(payload) is None


@in_loop
async def test_an_agent_that_takes_a_pod_up_has_its_ports_led(settings, pod, tracked):
    """Also those from which the server has reset a connection before."""
    client = connect(tracked, PORT)
    reset(tracked.accept(pod.api), client)
    async with enrolled(settings, pod) as (_, proxy):
        enrol = await proxy.enrolled()
        await eventually(lambda: not reset_ones(tracked))
        with connect(tracked, PORT), tracked.accept(proxy.listeners[enrol.enrolment][0]) as near:
            assert near.getpeername()[1] == PORT


async def taken_up(settings, agent, pod):
    """Have a proxy take a pod up, which whoever asks closes; give it and the enrolment."""
    proxy = FakeProxy(settings.socket)
    agent.update(pod.facts, YES, "deployment/web")
    enrol = await proxy.enrolled()
    await proxy.until(lambda: state(agent, pod) == "intercepting")
    return proxy, enrol


@in_loop
async def test_a_proxy_that_goes_leaves_no_port_that_is_refused(settings, pod, tracked):
    """What it has reset as it ended is forgotten, at once or a second later."""
    async with running(settings) as agent:
        proxy, enrol = await taken_up(settings, agent, pod)
        client = connect(tracked, PORT)
        near = tracked.accept(proxy.listeners[enrol.enrolment][0])
        proxy.close()
        reset(near, client)
        await eventually(lambda: not reset_ones(tracked))
        with connect(tracked, PORT):
            assert tracked.accept(pod.api).getpeername()[1] == PORT


@in_loop
async def test_a_proxy_that_hangs_gets_nobody_whose_connection_was_broken(settings, pod, tracked):
    """The client connects anew from the same port, and is not led to where nobody would answer."""
    async with enrolled(settings, pod) as (_, proxy):
        enrol = await proxy.enrolled()
        client = connect(tracked, PORT)
        tracked.accept(proxy.listeners[enrol.enrolment][0])
        proxy.beating = False
        with client, pytest.raises(ConnectionResetError):
            await asyncio.to_thread(client.recv, 1)
        await eventually(lambda: not reset_ones(tracked))
        with connect(tracked, PORT):
            assert tracked.accept(pod.api).getpeername()[1] == PORT


@pytest.fixture
def looks(monkeypatch):
    """Give what has been looked at, a list of destinations each time."""
    done = []
    look = Presence.forget_ended

    async def forget_ended(self, destinations):
        await look(self, destinations)
        done.append(destinations)

    monkeypatch.setattr(Presence, "forget_ended", forget_ended)
    return done


@in_loop
async def test_a_pod_that_is_let_go_finds_no_port_refused_while_a_connection_goes_on(
    settings, pod, tracked, looks, monkeypatch
):
    """What was reset is forgotten when the rule does not act any more, and after its listener has gone."""
    async with enrolled(settings, pod) as (agent, proxy):
        enrol = await proxy.enrolled()
        listener = proxy.listeners[enrol.enrolment][0]
        with tracked.connect(), tracked.accept(listener):
            late = connect(tracked, OTHER_PORT)
            beside = tracked.accept(listener)
            client = connect(tracked, PORT)
            near = tracked.accept(listener)
            await eventually(lambda: len(looks) == len(AFTER))  # those of the beginning
            monkeypatch.setattr(sweep, "AFTER", (*AFTER, 10.0))  # a busy machine may come too late for the last
            reset(near, client)
            agent.update(pod.facts, NO, "deployment/web")
            await eventually(lambda: not reset_ones(tracked))
            listener.close()
            reset(beside, late)
            await eventually(lambda: not reset_ones(tracked))
            assert state(agent, pod) == "draining"
            for port in (PORT, OTHER_PORT):
                with connect(tracked, port):
                    assert tracked.accept(pod.api).getpeername()[1] == port


@in_loop
async def test_an_agent_that_ends_leaves_no_port_that_is_refused(settings, pod, tracked, looks):
    """Nobody would lead the next connection from there for as long as the kernel keeps the last."""
    async with running(settings) as agent:
        proxy, enrol = await taken_up(settings, agent, pod)
        client = connect(tracked, PORT)
        near = tracked.accept(proxy.listeners[enrol.enrolment][0])
        await eventually(lambda: len(looks) == len(AFTER))
        reset(near, client)
        draining = asyncio.create_task(drain(proxy, enrol.enrolment))
    await draining
    proxy.close()
    assert reset_ones(tracked) == []
    assert pod.table() is None


async def drain(proxy, number):
    """Say that nothing is left of an enrolment when it is let go."""
    await proxy.until(lambda: proxy.retired(number))
    proxy.drained(number)
