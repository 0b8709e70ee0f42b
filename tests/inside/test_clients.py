"""From an intercepted pod every client does what it does from one that is left alone, and hardly later."""

from __future__ import annotations

import itertools
import json
import math
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import e2e.watching
from e2e.conversation import Conversation, Outcome
from e2e.kubectl_steps import SPDY, WEB
from tests.inside.pods import CLIENTS, Answer, Pod, python_volumes, read_answers
from tests.inside.processes import wait_until
from tests.inside.seen import Tap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.inside.conftest import Shop

pytestmark = pytest.mark.cluster

LATER, PART = 0.020, 0.25
"""Seconds, or a part of what a command takes without us, which is more where that is over 80 ms: machines differ."""
TRIES = 3
LEAST_TURNS, MOST_TURNS = 2, 30
"""Single commands differ by 20 ms among themselves: only many tell of fewer."""
SLACK = 2.0
"""Seconds by which one pod may find the server later than another: each is told once a second that it is away."""
GOAWAY = ["--goaway-chance=0.02"]
KINDS = ("fresh", "http1", "http2")
TRANSPORTS = {"WebSocket": {}, "SPDY": SPDY}
SPDY_SET = "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false"
SETTINGS = "/settings/web.yaml"
UNTIL_TOLD = '"$@" & program=$!; read line; kill $program; wait $program; exit 0'
SIMPLE = {
    "a list": ("get", "deployments,services", "-o", "name"),
    "JSON": ("get", "services", "-o", "json"),
    "discovery": ("api-resources", "--cached=false"),
    "an object that is not there": ("get", "configmap", "no-such-thing"),
    "a refusal": ("get", "secrets", "--namespace=kube-system"),
    "logs": ("logs", "deployment/web"),
    "apply on the server": ("apply", "--server-side", "--force-conflicts", f"--filename={SETTINGS}"),
    "a wait": ("wait", "--for=condition=Available", "deployment/web"),
    "an exit code from a pod": ("exec", "deployment/web", "--", "sh", "-c", "echo out; exit 7"),
}
ECHO = "(echo hello; sleep 4) | exec timeout 5 kubectl attach -i -q deployment/web"
"""What is said to the process comes back; attaching would go on for ever."""
COPY = 'kubectl cp "$0:/etc/passwd" /tmp/copy && echo done'
FIRST_BYTES = {
    "get": ("kubectl", "get", "services", "-o", "name"),
    "get --watch": ("kubectl", "get", "services", "--watch", "-o", "name"),
    "apply --server-side": ("kubectl", *SIMPLE["apply on the server"]),
    "logs --follow": ("kubectl", "logs", "--follow", "deployment/web"),
    "exec": ("kubectl", "exec", "deployment/web", "--", "echo", "hello"),
    "exec, SPDY": ("env", SPDY_SET, "kubectl", "exec", "deployment/web", "--", "echo", "hello"),
    "attach": ("sh", "-c", ECHO),
    "cp": ("sh", "-c", COPY, "{pod}"),
    "port-forward": ("kubectl", "port-forward", "--address=127.0.0.1", "deployment/web", ":8080"),
}
"""Commands of which the first byte is waited for; cp says something when it has ended."""


class Way:
    """How programs are started in a pod."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod

    def start(self, *words: str, variables: dict[str, str] | None = None) -> Conversation:
        settings = [f"{name}={value}" for name, value in (variables or {}).items()]
        return Conversation(self.pod.command("env", *settings, *words), self.pod.cluster.environment)

    def until_told(self, *words: str, **more: dict[str, str]) -> Conversation:
        """Start a program that ends when a line is sent to it."""
        return self.start("sh", "-c", UNTIL_TOLD, "sh", *words, **more)

    def run(self, *words: str, stdin: bytes = b"", variables: dict[str, str] | None = None) -> Outcome:
        with self.start(*words, variables=variables) as running:
            if stdin:
                running.send(stdin)
            running.end_input()
            return running.finish()


@pytest.fixture(scope="module")
def shop(module_shop: Shop) -> Shop:
    """Deployment `web` to work on, and a file with it."""
    space = ("--namespace", module_shop.namespace)
    kubectl = module_shop.cluster.kubectl
    kubectl("apply", "--filename", WEB, *space)
    kubectl("create", "configmap", "web.yaml", f"--from-file=web.yaml={WEB}", *space)
    kubectl("rollout", "status", "deployment/web", "--timeout=60s", *space)
    return module_shop


@pytest.fixture(scope="module")
def ways(shop: Shop) -> tuple[Way, Way]:
    """The way from a pod that nobody touches, and from one whose calls are recorded."""
    volumes = {"/settings": {"configMap": {"name": "web.yaml"}}, **python_volumes()}
    (outside,) = shop.pods("outside", volumes=volumes)
    return Way(outside), Way(shop.recorded_pod("inside", volumes=volumes))


def both(ways: tuple[Way, Way], scenario: Callable[[Way], Outcome]) -> Outcome:
    """Play a scenario from either pod, and return what was the same both times."""
    outside, inside = (scenario(way) for way in ways)
    assert inside == outside
    return inside


@pytest.mark.parametrize("words", SIMPLE.values(), ids=SIMPLE)
def test_a_kubectl_command_says_the_same(words, ways):
    """Output and exit code."""
    outcome = both(ways, lambda way: way.run("kubectl", *words))
    assert outcome.stdout or outcome.status


def test_a_watch_says_the_same(shop, ways):
    """kubectl get -w shows a change while it is open."""
    space = ("--namespace", shop.namespace)
    shop.cluster.kubectl("create", "configmap", "watched", *space)

    def scenario(way: Way) -> Outcome:
        change = ("label", "--overwrite", "configmap/watched")
        shop.cluster.kubectl(*change, "step=first", *space)
        words = ("get", "configmap/watched", "--watch", "-o", "jsonpath={.metadata.labels.step} ")
        with way.until_told("kubectl", *words) as watch:
            watch.expect(b"first ")
            for step in ("second", "third"):
                shop.cluster.kubectl(*change, f"step={step}", *space)
                watch.expect(f"{step} ".encode())
            watch.send(b"\n")
            return watch.finish()

    assert both(ways, scenario).stdout == b"first second third "


def test_logs_that_are_followed_say_the_same(shop, ways):
    """Each line arrives when it is written, while the connection stays open."""
    say = ("exec", "deployment/web", "--namespace", shop.namespace, "--", "sh", "-c", "echo tick >/proc/1/fd/1")

    def scenario(way: Way) -> Outcome:
        shop.cluster.kubectl(*say)
        with way.until_told("kubectl", "logs", "--follow", "--tail=1", "deployment/web") as logs:
            logs.expect(b"tick\n")
            for _ in range(2):
                shop.cluster.kubectl(*say)
                logs.expect(b"tick\n")
            logs.send(b"\n")
            return logs.finish()

    assert both(ways, scenario).stdout == b"tick\n" * 3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_standard_input_of_a_pod_is_the_same(transport, ways):
    """kubectl exec -i passes bytes both ways, and the end of input."""
    data = bytes(range(256)) * 200
    words = ("kubectl", "exec", "-i", "deployment/web", "--", "cat")
    assert both(ways, lambda way: way.run(*words, stdin=data, variables=TRANSPORTS[transport])).stdout == data


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_attach_is_the_same(transport, ways):
    """kubectl attach reaches the process that runs already, and takes what it says."""

    def scenario(way: Way) -> Outcome:
        words = ("timeout", "5", "kubectl", "attach", "-i", "-q", "deployment/web")
        with way.start(*words, variables=TRANSPORTS[transport]) as attached:
            attached.send(b"is somebody there\n")
            attached.expect(b"is somebody there\n")
            return attached.finish()

    assert both(ways, scenario).stdout == b"is somebody there\n"


@pytest.fixture(scope="module")
def web(shop: Shop) -> str:
    """The name of the pod of `web`."""
    found = shop.cluster.kubectl("get", "pod", "-lapp=web", "-o", "name", "--namespace", shop.namespace)
    return found.strip().removeprefix("pod/")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_copies_are_the_same(transport, web, ways):
    """kubectl cp into a pod and out of it again leaves every byte as it was."""
    script = (
        f"head -c 1000000 /dev/urandom >/tmp/there; kubectl cp /tmp/there {web}:/tmp/x && "
        f"kubectl cp {web}:/tmp/x /tmp/back && cmp /tmp/there /tmp/back && echo same"
    )
    outcome = both(ways, lambda way: way.run("sh", "-c", script, variables=TRANSPORTS[transport]))
    assert outcome.stdout.endswith(b"same\n")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_forward_is_the_same(transport, ways):
    """Several pages through kubectl port-forward, one after the other."""

    def scenario(way: Way) -> Outcome:
        command = ("kubectl", "port-forward", "--address=127.0.0.1", "deployment/web", "18080:8080")
        with way.until_told(*command, variables=TRANSPORTS[transport]) as forward:
            forward.expect(b"Forwarding from")
            for _ in range(3):
                page = way.run("wget", "-qO-", "http://127.0.0.1:18080/passwd")
                assert page.stdout.startswith(b"root:")
                forward.expect(b"Handling connection")
            forward.send(b"\n")
            return forward.finish()

    both(ways, scenario)


def test_informers_see_the_same(shop, ways):
    """client-go informers of twelve kinds, begun three times, hold the same objects, and resync every one of them."""
    words = (CLIENTS, "informer", f"--namespace={shop.namespace}", "--rounds=3", "--again")
    lines = both(ways, lambda way: way.run(*words)).stdout.decode().splitlines()
    held = [line for line in lines if not line.startswith("again ")]
    assert {"deployments.apps web", "configmaps settings", "services web"} <= set(held)
    assert [line.removeprefix("again ") for line in lines if line.startswith("again ")] == held


def test_the_python_client_sees_the_same(shop, ways):
    """A list, then a watch that sees every change of three objects in its order."""
    script = (
        "import runpy, sys; from kubernetes import config; config.load_kube_config = config.load_incluster_config; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    words = (sys.executable, "-c", script, str(Path(e2e.watching.__file__)), shop.namespace)
    outcome = both(ways, lambda way: way.run(*words))
    assert [line.split()[0] for line in outcome.stdout.splitlines()] == [b"ADDED", b"MODIFIED", b"DELETED"] * 3


@pytest.fixture
def settled(shop: Shop) -> None:
    """Wait until no pod comes or goes: what tests before have left behind takes the machine's time."""

    def coming_or_going() -> list[str]:
        pods = [(pod["metadata"], pod["status"]) for pod in shop.cluster.get("pods", "--all-namespaces")["items"]]
        return [found["name"] for found, status in pods if "deletionTimestamp" in found or status["phase"] == "Pending"]

    wait_until(lambda: not coming_or_going(), "pods to have come or gone")


@pytest.mark.parametrize("scenario", FIRST_BYTES)
def test_the_first_byte_is_hardly_later(scenario, ways, web, settled):
    """By 20 ms, or a quarter; medians of what both pods do by turns: neither has the quieter machine."""
    command = [word.format(pod=web) for word in FIRST_BYTES[scenario]]
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(MOST_TURNS):
        turns = list(zip(ways, took, strict=True))
        for way, found in turns[:: 1 if number % 2 else -1]:
            found.extend(first_bytes(way, command))
        outside, inside = map(statistics.median, took)
        allowed = max(LATER, outside * PART)
        if number + 1 >= LEAST_TURNS and inside - outside <= allowed:
            break
    print(f"{scenario}: {outside * 1000:.1f} ms, {(inside - outside) * 1000:+.1f} ms; {len(took[0])} each")
    assert inside - outside <= allowed


def first_bytes(way: Way, command: list[str]) -> list[float]:
    """Have a command run a few times; give the seconds until its first byte."""
    outcome = way.run(CLIENTS, "first", f"--tries={TRIES}", *command)
    assert outcome.status == 0, command
    found: list[float] = json.loads(outcome.stdout)
    return found


def test_clients_outlive_a_restart_of_their_server_and_are_sent_away_unnoticed(shop, ways):
    """It comes back with GOAWAY for one request in fifty.

    One test, for what watches it pauses longer each time that it is away: within two minutes of a restart, kube-proxy
    may take half a minute to see that it is there again.
    """
    outside, inside = (way.pod for way in ways)
    try:
        assert_outlived(outside, inside, shop, GOAWAY)
        since = time.time()
        with Tap(shop.installation) as tap:
            output = inside.run(
                CLIENTS, "load", f"--namespace={shop.namespace}", "--calls=2000", "--workers=4", timeout=300
            )
            truth = shop.compare(tap, since=since)
    finally:
        shop.cluster.restart_apiserver()
    assert json.loads(output)["errors"] == []
    assert truth.agreement.holds, str(truth.agreement)
    assert truth.agreement.joined_by_id >= 2000


def assert_outlived(outside: Pod, inside: Pod, shop: Shop, arguments: list[str]) -> None:
    """Restart the server: calls fail only while they fail from a pod that nobody touches, and not much more often.

    Which of them fail is chance, for either pod: a server that ends takes itself off its Service, and what kube-proxy
    then rejects hears of it once a second (ICMP is sent that often to one address); all else tries again by itself and
    is late. So it is the pods that are compared, with all that they ask, and not one kind of connection with another.
    """
    for pod, kind in itertools.product((outside, inside), KINDS):  # an exec would end with the server that carries it
        poll_by_itself(pod, kind, f"/api/v1/namespaces/{shop.namespace}/configmaps/kube-root-ca.crt")
    for pod, kind in itertools.product((outside, inside), KINDS):
        wait_until(lambda pod=pod, kind=kind: is_well(pod, kind), f"{kind} of {pod.name} to be answered")
    restarted = time.time()
    shop.cluster.restart_apiserver(arguments)
    for pod, kind in itertools.product((outside, inside), KINDS):
        wait_until(lambda pod=pod, kind=kind: is_well(pod, kind, since=restarted), f"{kind} of {pod.name} to go on")
    theirs, ours = (outage(polled(pod)) for pod in (outside, inside))
    print(f"untouched: {theirs}; recorded: {ours}; the restart took {time.time() - restarted:.1f} s at most")
    assert theirs.failed, "the server was not away"
    assert ours.begin >= theirs.begin - SLACK
    assert ours.end <= theirs.end + SLACK
    assert ours.failed <= 2 * theirs.failed + len(KINDS)


class Outage(NamedTuple):
    """How many requests failed, and between which moments."""

    failed: int
    begin: float
    end: float

    def __str__(self) -> str:
        return f"{self.failed} failed within {self.end - self.begin:.1f} s"


def outage(answers: list[Answer]) -> Outage:
    """Sum up which answers are none."""
    ends = sorted(answer.at + answer.seconds for answer in answers if not answer.direct)
    return Outage(len(ends), ends[0], ends[-1]) if ends else Outage(0, math.inf, -math.inf)


def poll_by_itself(pod: Pod, kind: str, path: str) -> None:
    """Start a poller that needs nobody."""
    command = f"{CLIENTS} poll --connections={kind} --rate=10 --for=5m --path={path} >/tmp/{kind} 2>&1 </dev/null &"
    pod.run("sh", "-c", command)


def is_well(pod: Pod, kind: str, since: float = 0.0) -> bool:
    """Tell whether the last twenty requests have been answered that began after a moment."""
    last = read_answers(pod.run("tail", "-n", "20", f"/tmp/{kind}"))
    return len(last) == 20 and all(answer.direct and answer.at > since for answer in last)


def polled(pod: Pod) -> list[Answer]:
    """End a pod's pollers, which wait for what they have asked, and read what they have written."""
    pod.run("killall", "clients")
    wait_until(lambda: CLIENTS not in pod.run("ps", "-o", "args"), "the pollers to end")
    return [answer for kind in KINDS for answer in read_answers(pod.run("cat", f"/tmp/{kind}"))]
