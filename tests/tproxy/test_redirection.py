"""Mode init: what a pod's init container prepares, and how datagrams of the agent make it act."""

import ctypes
import socket
import threading
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from apisnoop.errors import UsageError
from apisnoop_tproxy import main, redirection
from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.redirection import LEAD, LET_GO, redirect, render_redirection
from tests.tproxy.cabled import NODE_ADDRESSES, POD_ADDRESSES
from tests.tproxy.podlike import API, API6

GOLDENS = Path(__file__).parent / "goldens"
POD_UID = uuid.UUID("3f0c1c5e-8a63-4d0f-9b1e-2f6d5a7c8b90")
POD = {"KUBERNETES_SERVICE_HOST": API[0], "KUBERNETES_SERVICE_PORT": str(API[1]), "POD_UID": str(POD_UID)}
POD6 = {**POD, "KUBERNETES_SERVICE_HOST": API6[0]}
FAMILIES = pytest.mark.parametrize("family", [0, 1], ids=["ipv4", "ipv6"])
SERVERS = (API, API6)


class Agent:
    """What an agent has for a pod: a listener, and a socket for datagrams at the same port."""

    def __init__(self, cabled, family=0, uid=POD_UID):
        self.cabled, self.uid = cabled, uid
        self.pod = POD_ADDRESSES[family]
        self.listening = cabled.node.server((NODE_ADDRESSES[family], 0))
        kind = socket.AF_INET6 if family else socket.AF_INET
        self.sending = cabled.node.run(lambda: socket.socket(kind, socket.SOCK_DGRAM))
        self.sending.bind((NODE_ADDRESSES[family], self.listening.getsockname()[1]))

    def say(self, port):
        self.sending.sendto(self.uid.bytes, (self.pod, port))

    def is_met(self, server=API):
        """Tell whether a connection of the pod to the API arrives here."""
        self.cabled.pod.connect(server)
        self.listening.settimeout(0.2)
        try:
            self.listening.accept()[0].close()
        except TimeoutError:
            return False
        return True

    def close(self):
        self.sending.close()


@pytest.fixture
def agent(cabled):
    """Give an agent, and an API server that answers directly."""
    for server in SERVERS:
        cabled.node.server(server)
    made = Agent(cabled)
    yield made
    made.close()


def prepared(cabled, destinations=SERVERS):
    """Write the pod's table."""
    cabled.pod.run(lambda: apply_rules(render_redirection(POD_UID, destinations)))


@pytest.mark.parametrize(
    ("name", "destinations"), [("ipv4", [("10.89.0.1", 6443), API]), ("ipv6", [API6]), ("both", [API, API6])]
)
def test_the_table_of_each_family(name, destinations, request):
    """The table is what the golden file shows."""
    text = render_redirection(POD_UID, destinations)
    golden = GOLDENS / f"init-{name}.nft"
    if request.config.getoption("--regenerate"):
        golden.write_text(text)
    assert text == golden.read_text()


@FAMILIES
def test_connections_go_where_a_datagram_came_from_until_another_lets_them_go(cabled, family):
    """Direct before, led afterwards, and direct again at once when the agent says so."""
    server = SERVERS[family]
    cabled.node.server(server)
    prepared(cabled)
    agent = Agent(cabled, family)
    assert not agent.is_met(server)
    for _ in range(2):
        agent.say(LEAD)
        assert agent.is_met(server)
        agent.say(LET_GO)
        assert not agent.is_met(server)
    agent.close()


def test_a_lease_runs_out_by_itself(cabled, agent, monkeypatch):
    """An agent that says nothing any more takes nobody with it."""
    monkeypatch.setattr(redirection, "LEASE_SECONDS", 1)
    prepared(cabled)
    agent.say(LEAD)
    assert agent.is_met()
    clock = threading.Event()
    while agent.is_met():  # 0.2 s at most for each; the test's own limit is the patience
        clock.wait(0.05)


def test_who_comes_later_leads(cabled, agent):
    """The agent of an upgrade has another address; thousands of datagrams leave as much as one."""
    prepared(cabled)
    successor = Agent(cabled)
    agent.say(LEAD)
    for _ in range(5000):
        successor.say(LEAD)
    agent.say(LEAD)
    assert successor.is_met()
    assert not agent.is_met()
    successor.say(LET_GO)
    agent.say(LEAD)
    assert agent.is_met()
    successor.close()


def test_a_stranger_is_not_heard(cabled, agent):
    """Who does not know the pod's UID leads it nowhere, nor lets it go."""
    prepared(cabled)
    stranger = Agent(cabled, uid=uuid.uuid4())
    stranger.say(LEAD)
    assert not stranger.is_met()
    agent.say(LEAD)
    stranger.say(LET_GO)
    assert agent.is_met()
    stranger.close()


def test_datagrams_leave_no_trace_in_the_pods_connections(cabled, agent):
    """Nor do its programs see them."""
    prepared(cabled)
    listening = cabled.pod.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with listening:
        listening.bind((POD_ADDRESSES[0], LEAD))
        agent.say(LEAD)
        assert agent.is_met()
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.recv(100)


def leading(agent):
    """Lead the pod, as often as an agent that is in a hurry, until the event is set."""
    stop = threading.Event()

    def work():
        while not stop.wait(0.05):
            agent.say(LEAD)

    thread = threading.Thread(target=work)
    thread.start()
    return stop, thread


@FAMILIES
def test_the_container_ends_when_the_pod_is_led(cabled, family):
    """It has tried a connection by then; the table stays."""
    environment = (POD, POD6)[family]
    agent = Agent(cabled, family)
    stop, thread = leading(agent)
    try:
        assert cabled.pod.run(lambda: redirect(30, (), environment)) == ""
    finally:
        stop.set()
        thread.join()
    agent.listening.settimeout(5)
    agent.listening.accept()[0].close()
    assert "dnat" in cabled.rule()
    agent.close()


def test_a_destination_can_be_added(cabled, agent):
    """Programs may use other addresses of the API server than the kubelet's word."""
    stop, thread = leading(agent)
    try:
        assert cabled.pod.run(lambda: redirect(30, ["10.96.0.1:6443"], POD)) == ""
    finally:
        stop.set()
        thread.join()
    agent.say(LEAD)
    for port in (443, 6443):
        assert agent.is_met((API[0], port))


def test_without_an_agent_the_pod_starts_as_it_was(cabled, agent):
    """When the limit has passed nothing is left, and the words say what is missing."""
    assert "has not taken it within 0.2 s" in cabled.pod.run(lambda: redirect(0.2, (), POD))
    assert cabled.rule() == ""


def test_a_proxy_that_cannot_be_reached_leads_to_nobody(cabled, agent, monkeypatch):
    """A network policy that lets datagrams in and connections not out would take the API from the pod."""
    monkeypatch.setattr(redirection, "_CONNECT_SECONDS", 0.3)
    agent.listening.close()
    stop, thread = leading(agent)
    try:
        assert "cannot be reached" in cabled.pod.run(lambda: redirect(30, (), POD))
    finally:
        stop.set()
        thread.join()
    assert cabled.rule() == ""


def test_a_rule_that_is_not_met_is_told(cabled, agent, monkeypatch):
    """As where the network plugin translates the address before the rule is asked."""
    monkeypatch.setattr(redirection, "_try_connection", lambda _: agent.cabled.pod.connect((NODE_ADDRESSES[0], port)))
    port = agent.listening.getsockname()[1]
    stop, thread = leading(agent)
    try:
        assert "do not meet the rule" in cabled.pod.run(lambda: redirect(30, (), POD))
    finally:
        stop.set()
        thread.join()
    assert cabled.rule() == ""


@pytest.mark.parametrize(
    ("destinations", "environment", "words"),
    [
        (["api:443"], POD, "--destination"),
        ((), {"POD_UID": str(POD_UID)}, "KUBERNETES_SERVICE_HOST"),
        ((), {**POD, "POD_UID": "web-0"}, "POD_UID=web-0"),
    ],
)
def test_what_is_no_address_or_uid_is_named(destinations, environment, words):
    """Who gives something wrong reads which."""
    with pytest.raises(UsageError, match=words):
        redirect(1, destinations, environment)


def test_without_the_right_it_says_which(podlike):
    """A container without NET_ADMIN reads what it lacks."""

    def unprivileged():
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0  # of this thread only
        return redirect(1, (), POD)

    assert "NET_ADMIN" in podlike.run(unprivileged)


@pytest.mark.parametrize(
    ("host", "words"), [(API[0], "has not taken it within 0 s"), ("api", "KUBERNETES_SERVICE_HOST")]
)
def test_the_command_never_keeps_a_pod_from_starting(podlike, monkeypatch, host, words):
    """Its log and its last words say why the pod is not recorded; it ends well."""
    for name, value in {**POD, "KUBERNETES_SERVICE_HOST": host}.items():
        monkeypatch.setenv(name, value)
    told = []
    monkeypatch.setattr("apisnoop_tproxy.wait.report", told.append)
    result = podlike.run(lambda: CliRunner().invoke(main.cli, ["redirect", "--limit=0"]))
    assert result.exit_code == 0, result.output
    assert words in result.output
    assert words in told[0]
