"""What is no API call is not tracked, where nobody but us has rules; each text is the golden itself."""

import ctypes
import os
import socket
import subprocess
import time

import msgspec
import pytest

from apisnoop_tproxy import exemption, settling
from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.nft import Netfilter, RuleError, apply_rules, find_table
from apisnoop_tproxy.others import Others
from apisnoop_tproxy.presence import Presence
from apisnoop_tproxy.rules import UNTRACKED, Redirect
from apisnoop_tproxy.settling import SETTLING_SECONDS, Settling
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.untracked import render_untracked
from tests.looped import eventually, in_loop
from tests.tproxy.fake_pod import NO, YES, enrolled, running
from tests.tproxy.test_conntrack import flows
from tests.tproxy.test_rules import DESTINATIONS, GOLDENS

THERE, THERE6, OTHER = "10.77.0.1", "fd77::1", "10.77.0.3"
API, API6 = (THERE, 443), (THERE6, 443)
DESTINED = [API, API6]
ELSEWHERE = (THERE, 6443)
"""Where the API server is found, too, from some moment on: at another port."""
MESH = """
table ip mesh {
    chain output {
        type nat hook output priority -100; policy accept;
        tcp dport 7999 redirect to :443
    }
}
"""
IPT_SO_GET_INFO, INFO_BYTES = 64, 84
"""Of linux/netfilter_ipv4/ip_tables.h: to ask for a table makes it."""
LEASE = 60.0


@pytest.mark.parametrize(("name", "destinations"), [("both", DESTINATIONS), ("none", [])])
def test_the_table(name, destinations, request):
    """The table is what the golden file shows, whatever is known of the API."""
    text = render_untracked(destinations, 5.0)
    golden = GOLDENS / f"untracked-{name}.nft"
    if request.config.getoption("--regenerate"):
        golden.write_text(text)
    assert text == golden.read_text()


class Neighbour:
    """What a pod reaches by a cable, the API and others: all that is within the pod is tracked."""

    def __init__(self, podlike, namespace):
        self._podlike, self._namespace, self._port = podlike, namespace, 7000

    def is_tracked(self, host=THERE, port=0):
        """Open a connection, else to a port of its own, send something there and back; tell whether it is tracked."""
        self._port += 1
        address = (host, port or self._port)
        with in_namespace(self._namespace, lambda: listen(address)) as server, self._podlike.connect(address) as client:
            near = self._podlike.accept(server)
            client.sendall(b"there")
            assert near.recv(8) == b"there"
            near.sendall(b"and back")
            assert client.recv(8) == b"and back"
            return any(wanted == address for wanted, _, _ in flows(self._podlike))


def listen(address):
    """Listen."""
    return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)


@pytest.fixture
def neighbour(podlike):
    """Give a neighbour of the pod."""
    here, there = podlike.name, f"apisnoop-near-{os.getpid()}"
    for words in (
        f"netns add {there}",
        f"-n {here} link add eth0 type veth peer name eth0 netns {there}",
        f"-n {here} addr add 10.77.0.2/24 dev eth0",
        f"-n {here} addr add fd77::2/64 dev eth0 nodad",
        f"-n {here} link set eth0 up",
        f"-n {there} addr add {THERE}/24 dev eth0",
        f"-n {there} addr add {OTHER}/24 dev eth0",
        f"-n {there} addr add {THERE6}/64 dev eth0 nodad",
        f"-n {there} link set eth0 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    podlike.await_route((THERE6, 1))
    namespace = os.open(f"/run/netns/{there}", os.O_RDONLY | os.O_CLOEXEC)
    yield Neighbour(podlike, namespace)
    os.close(namespace)
    subprocess.run(["ip", "netns", "del", there], check=True)


class Ours:
    """What is ours in the pod, and the listeners to which its API connections are led."""

    def __init__(self, podlike):
        self.podlike = podlike
        netfilter, diagnosis = podlike.run(Netfilter), podlike.run(SocketDiagnosis)
        namespace = os.dup(podlike.namespace)
        foothold = Foothold(namespace, os.pidfd_open(os.getpid()), None, os.getpid(), netfilter, diagnosis)
        self.presence = Presence(foothold, Succession("0b"))
        self._listeners = self.presence.open_listeners()
        ports = {family: sock.getsockname()[1] for family, sock in self._listeners.items()}
        self.redirect = Redirect("0b", ports, LEASE)

    def close(self):
        """Close it all."""
        for sock in self._listeners.values():
            sock.close()
        self.presence.close()

    async def begin(self, destinations=DESTINED):
        """Put both tables in place and renew their leases."""
        await self.presence.act(self.redirect, destinations)
        await self.again(destinations)

    async def again(self, destinations=DESTINED):
        """Look whether others have rules, and renew the leases."""
        await self.presence.exempt(destinations, self.redirect.lease)
        self.presence.renew(self.redirect, destinations)

    def led(self, address=API):
        """Open an API connection through a listener; give a function that sees whether it goes on."""
        client = self.podlike.connect(address)
        near = self.podlike.accept(self._listeners[socket.AF_INET6 if ":" in address[0] else socket.AF_INET])

        def goes_on():
            near.settimeout(5)
            client.sendall(b"led")
            assert near.recv(8) == b"led"
            near.sendall(b"answered")
            return client.recv(8) == b"answered"

        return goes_on


@pytest.fixture
def ours(podlike):
    """Give what is ours in the pod."""
    found = Ours(podlike)
    yield found
    found.close()


def have_rules(podlike):
    """Tell whether others have rules in the pod."""
    others = podlike.run(Others)
    try:
        return podlike.run(others.have_rules)
    finally:
        others.close()


def is_there(podlike):
    """Tell whether the pod has the table."""
    listed = podlike.run(lambda: subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True))
    return f"table inet {UNTRACKED}" in listed.stdout.splitlines()


@in_loop
async def test_only_connections_to_the_api_are_tracked(neighbour, ours):
    """The redirect alone has the kernel track all. The API's are still led to the listeners, by IPv4 and IPv6."""
    await ours.presence.act(ours.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert neighbour.is_tracked(THERE6)
    await ours.again()
    assert not neighbour.is_tracked()
    assert not neighbour.is_tracked(THERE6)
    assert not neighbour.is_tracked(OTHER, 443)
    assert ours.led()()
    assert ours.led(API6)()


@in_loop
async def test_an_address_that_comes_to_the_api_later_is_tracked(neighbour, ours):
    """From the moment on from which it is led; at a port that the table looks at, nothing else changes."""
    await ours.begin()
    destinations = [*DESTINED, (OTHER, 443)]
    ours.presence.renew(ours.redirect, destinations)
    assert ours.led((OTHER, 443))()
    assert not neighbour.is_tracked()
    destinations = [*destinations, ELSEWHERE]
    ours.presence.renew(ours.redirect, destinations)
    assert neighbour.is_tracked()
    assert ours.led(ELSEWHERE)()
    await ours.again(destinations)
    assert not neighbour.is_tracked()
    assert ours.led(ELSEWHERE)()


@in_loop
async def test_whoever_comes_with_rules_has_all_tracked_from_the_next_renewal_on(podlike, neighbour, ours):
    """A mesh's connections go its way then; when they and it have gone, other traffic is left untracked again."""
    await ours.begin()
    podlike.run(lambda: apply_rules(MESH))
    ours.presence.renew(ours.redirect, DESTINED)
    assert neighbour.is_tracked()
    with podlike.server(("127.0.0.1", 443)) as mesh:
        client, near = podlike.connect((THERE, 7999)), podlike.accept(mesh)
    await ours.again()
    assert neighbour.is_tracked()
    podlike.run(lambda: apply_rules("delete table ip mesh"))
    await ours.again()
    assert neighbour.is_tracked()  # what it has redirected is still translated
    client.sendall(b"still here")
    assert near.recv(16) == b"still here"
    client.close()
    near.close()
    await ours.again()
    assert not neighbour.is_tracked()


def ask_for_legacy_table():
    """Do what `iptables-legacy -L` does first."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        told, size = ctypes.create_string_buffer(b"filter", INFO_BYTES), ctypes.c_uint32(INFO_BYTES)
        libc = ctypes.CDLL(None, use_errno=True)
        return libc.getsockopt(sock.fileno(), socket.IPPROTO_IP, IPT_SO_GET_INFO, told, ctypes.byref(size))


@in_loop
async def test_tables_of_the_older_iptables_are_others_rules(podlike, neighbour, ours):
    """They are none of nftables'."""
    await ours.begin()
    assert not have_rules(podlike)
    if podlike.run(ask_for_legacy_table) != 0:
        pytest.skip("this kernel has no iptables of the older kind")
    assert have_rules(podlike)
    ours.presence.renew(ours.redirect, DESTINED)
    assert neighbour.is_tracked()


@in_loop
async def test_more_tables_than_anybody_needs_are_others_rules(podlike, neighbour, ours):
    """They are not read to their end, nor ever again while we are there."""
    await ours.begin()
    tables = "".join(f"table inet {'t' * 200}{number}\n" for number in range(400))
    podlike.run(lambda: apply_rules(tables))
    ours.presence.renew(ours.redirect, DESTINED)
    assert neighbour.is_tracked()
    podlike.run(lambda: apply_rules("".join(f"delete {line}\n" for line in tables.splitlines())))
    assert not have_rules(podlike)
    await ours.again()
    assert neighbour.is_tracked()
    assert ours.led()()


@in_loop
async def test_where_others_have_rules_already_nothing_is_added(podlike, neighbour, ours):
    """They are seen before."""
    podlike.run(lambda: apply_rules(MESH))
    await ours.begin()
    assert not is_there(podlike)
    assert neighbour.is_tracked()


@in_loop
async def test_it_runs_out_by_itself(neighbour, ours):
    """As the redirect does when its agent has died: whoever comes with rules then is not hindered."""
    ours.redirect = msgspec.structs.replace(ours.redirect, lease=0.5)
    await ours.begin()
    assert not neighbour.is_tracked()
    deadline = time.monotonic() + 10
    while not neighbour.is_tracked():
        assert time.monotonic() < deadline
    await ours.again()
    assert not neighbour.is_tracked()


@in_loop
async def test_open_connections_through_the_proxy_go_on_whatever_happens(podlike, neighbour, ours):
    """When it begins and ends, when redirects end, when the API moves, when the table is replaced or goes."""
    await ours.presence.act(ours.redirect, DESTINED)
    connections = [ours.led(), ours.led(API6)]

    def all_go_on():
        return all(goes_on() for goes_on in connections)

    await ours.again()
    assert not neighbour.is_tracked()
    connections.append(ours.led())
    assert all_go_on()
    for destinations in ([], DESTINED, [API6], DESTINED, [*DESTINED, ELSEWHERE]):
        ours.presence.renew(ours.redirect, destinations)
        assert all_go_on()
    connections.append(ours.led(ELSEWHERE))
    assert all_go_on()
    await ours.again([*DESTINED, ELSEWHERE])
    assert not neighbour.is_tracked()
    assert all_go_on()
    podlike.run(lambda: apply_rules(MESH))
    ours.presence.renew(ours.redirect, DESTINED)
    assert all_go_on()
    podlike.run(lambda: apply_rules("delete table ip mesh"))
    await ours.begin([*DESTINED, ELSEWHERE])
    assert not neighbour.is_tracked()
    assert all_go_on()
    await ours.presence.flush()
    assert neighbour.is_tracked()
    assert all_go_on()


@in_loop
async def test_what_an_earlier_agent_has_led_elsewhere_keeps_it_away(podlike, neighbour, ours):
    """Connections to an address that is not the API's any more would not be translated."""
    await ours.presence.act(ours.redirect, DESTINED)
    goes_on = ours.led()
    later = Ours(podlike)
    try:
        await later.begin([API6])
        assert not is_there(podlike)
        assert goes_on()
        await later.begin([API, API6])
        assert not neighbour.is_tracked()
        assert goes_on()
    finally:
        later.close()


@in_loop
async def test_it_goes_where_the_other_table_goes(podlike, ours):
    """With its removal, and with its replacement."""
    for end in (ours.presence.remove, ours.presence.flush, lambda: ours.presence.act(ours.redirect, DESTINED)):
        await ours.begin()
        assert is_there(podlike)
        await end()
        assert not is_there(podlike)
    await ours.presence.remove()
    assert podlike.run(find_table) is None


@in_loop
async def test_removed_by_hand_it_comes_again_and_the_redirect_stays(podlike, neighbour, ours):
    """The other table's leases do not depend on it."""
    await ours.begin()
    podlike.run(lambda: apply_rules(f"delete table inet {UNTRACKED}"))
    ours.presence.renew(ours.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert ours.led()()
    await ours.again()
    assert not neighbour.is_tracked()


@in_loop
async def test_an_address_that_was_the_apis_meanwhile_stays_tracked(podlike, neighbour, ours):
    """What was led there before the table came is still translated."""
    await ours.presence.act(ours.redirect, DESTINED)
    ours.presence.renew(ours.redirect, [*DESTINED, ELSEWHERE])
    goes_on = ours.led(ELSEWHERE)
    await ours.again()
    assert not neighbour.is_tracked()
    assert goes_on()


@pytest.mark.parametrize("error", [RuleError("no such expression"), OSError("no memory")])
@in_loop
async def test_a_kernel_that_cannot_tracks_all(monkeypatch, neighbour, ours, error):
    """That keeps nobody from recording."""

    def refuse(*_):
        raise error

    await ours.presence.act(ours.redirect, DESTINED)
    monkeypatch.setattr(exemption, "render_untracked", refuse)
    await ours.again()
    assert neighbour.is_tracked()
    assert ours.led()()
    monkeypatch.undo()
    await ours.again()
    assert not neighbour.is_tracked()
    error = OSError("no memory")
    monkeypatch.setattr(Others, "have_rules", refuse)
    ours.presence.renew(ours.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert ours.led()()


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
