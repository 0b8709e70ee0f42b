"""Every client does through `apisnoop run` what it does directly: the same standard output, the same exit code."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from e2e.kubectl_steps import SPDY, WEB
from e2e.ways import without_address
from e2e.workload import CHART

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e.conversation import Outcome
    from e2e.ways import Way

pytestmark = pytest.mark.cluster

TRANSPORTS = {"WebSocket": {}, "SPDY": SPDY}
WATCHING = Path(__file__).parent / "watching.py"


def both(ways: tuple[Way, Way], scenario: Callable[[Way], Outcome]) -> Outcome:
    """Play a scenario directly, then through apisnoop, and return what was the same both times."""
    outcomes = [scenario(way) for way in ways]
    assert without_address(outcomes[1].stdout) == without_address(outcomes[0].stdout)
    assert outcomes[1].status == outcomes[0].status
    return outcomes[1]


SIMPLE = {
    "a list as a table": ("get", "deployments,services", "-o", "name"),
    "a list as JSON": ("get", "services", "-o", "json"),
    "discovery": ("api-resources", "--cached=false"),
    "an object that is not there": ("get", "configmap", "no-such-thing"),
    "a refusal": ("get", "secrets", "--namespace=kube-system"),
    "a question with a no": ("auth", "can-i", "delete", "nodes"),
    "a path that does not exist": ("get", "--raw", "/apis/no.such.group/v1"),
    "a path outside of the API": ("get", "--raw", "/readyz"),
    "the server's address": ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"),
    "logs": ("logs", "deployment/web"),
    "logs of a container that is not there": ("logs", "deployment/web", "--container=none"),
    "apply on the server": ("apply", "--server-side", "--force-conflicts", "--filename", str(WEB)),
    "a dry run": ("apply", "--dry-run=server", "--filename", str(WEB), "-o", "name"),
    "a wait": ("wait", "--for=condition=Available", "deployment/web"),
    "an exit code from a pod": ("exec", "deployment/web", "--", "sh", "-c", "echo out; exit 7"),
    "a program that is not in the pod": ("exec", "deployment/web", "--", "no-such-program"),
    "a wrong option": ("get", "--no-such-option"),
}


@pytest.mark.parametrize("words", SIMPLE.values(), ids=SIMPLE)
def test_a_kubectl_command_says_the_same(words, shop, ways):
    """Tables, JSON, errors of the server, refusals, and exit codes from inside a pod."""
    outcome = both(ways, lambda way: way.run(shop.kubectl, *words))
    assert outcome.status in (0, 1, 7, 126, 127)


def test_a_watch_says_the_same(shop, ways):
    """kubectl get -w shows a change while it is open, and ends by Ctrl-C as it does directly."""
    name, change = "configmap/watched", ("--overwrite", "configmap/watched")
    shop.cluster.kubectl("create", "configmap", "watched", "--namespace", shop.robot.namespace)

    def scenario(way: Way) -> Outcome:
        shop.cluster.kubectl("label", *change, "step=first", "--namespace", shop.robot.namespace)
        with way.start(shop.kubectl, "get", name, "--watch", "-o", "jsonpath={.metadata.labels.step} ") as watch:
            watch.expect(b"first ")
            for step in ("second", "third"):
                shop.cluster.kubectl("label", *change, f"step={step}", "--namespace", shop.robot.namespace)
                watch.expect(f"{step} ".encode())
            watch.signal(signal.SIGINT)
            return watch.finish()

    assert both(ways, scenario).stdout == b"first second third "


def test_logs_that_are_followed_say_the_same(shop, ways):
    """Each line arrives when it is written, while the connection stays open."""
    say = ("exec", shop.pod, "--namespace", shop.robot.namespace, "--", "sh", "-c", "echo tick >/proc/1/fd/1")

    def scenario(way: Way) -> Outcome:
        shop.cluster.kubectl(*say)
        with way.start(shop.kubectl, "logs", "--follow", "--tail=1", shop.pod) as logs:
            logs.expect(b"tick\n")
            for _ in range(2):
                shop.cluster.kubectl(*say)
                logs.expect(b"tick\n")
            logs.signal(signal.SIGINT)
            return logs.finish()

    assert both(ways, scenario).stdout == b"tick\n" * 3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_terminal_in_a_pod_says_the_same(transport, shop, ways):
    """kubectl exec -it: the window's size, what is typed and its echo, Ctrl-C in the pod, and the exit code."""
    # The size arrives after the start.
    sized = "until size=$(stty size 2>&1) && [ \"$size\" = '40 120' ]; do sleep 0.02; done; echo size $size"
    script = f"trap 'exit 7' INT; {sized}; while read -r line; do echo got $line; done"

    def scenario(way: Way) -> Outcome:
        command = (shop.kubectl, "exec", "-it", shop.pod, "--", "sh", "-c", script)
        with way.start(*command, terminal=True, **TRANSPORTS[transport]) as shell:
            shell.expect(b"size 40 120\r\n")
            shell.send(b"hello\r")
            shell.expect(b"hello\r\ngot hello\r\n")
            shell.send(b"\x03")
            return shell.finish()

    assert both(ways, scenario).status == 7


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_standard_input_of_a_pod_is_the_same(transport, shop, ways):
    """kubectl exec -i passes bytes both ways, and the end of input."""
    data = bytes(range(256)) * 200

    def scenario(way: Way) -> Outcome:
        return way.run(shop.kubectl, "exec", "-i", shop.pod, "--", "cat", stdin=data, **TRANSPORTS[transport])

    assert both(ways, scenario).stdout == data


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_attach_is_the_same(transport, shop, ways):
    """kubectl attach reaches the process that runs already."""

    def scenario(way: Way) -> Outcome:
        with way.start(shop.kubectl, "attach", "-i", "-q", shop.pod, **TRANSPORTS[transport]) as attached:
            attached.send(b"is somebody there\n")
            attached.expect(b"is somebody there\n")
            attached.signal(signal.SIGINT)
            return attached.finish()

    assert both(ways, scenario).stdout == b"is somebody there\n"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_copies_are_the_same(transport, shop, ways, tmp_path):
    """kubectl cp into a pod and out of it again leaves every byte as it was."""
    data = bytes(range(256)) * 4000
    (tmp_path / "there").write_bytes(data)

    def scenario(way: Way) -> Outcome:
        back = tmp_path / f"back-{way.name}"
        there = way.run(shop.kubectl, "cp", str(tmp_path / "there"), f"{shop.pod}:/tmp/x", **TRANSPORTS[transport])
        assert there.status == 0
        outcome = way.run(shop.kubectl, "cp", f"{shop.pod}:/tmp/x", str(back), **TRANSPORTS[transport])
        assert back.read_bytes() == data
        return outcome

    assert both(ways, scenario).status == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_port_forward_is_the_same(transport, shop, ways):
    """Several pages through kubectl port-forward, one after the other."""
    port = free_port()

    def scenario(way: Way) -> Outcome:
        command = (shop.kubectl, "port-forward", "--address=127.0.0.1", shop.pod, f"{port}:8080")
        with way.start(*command, **TRANSPORTS[transport]) as forward:
            forward.expect(b"Forwarding from")
            for _ in range(3):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/passwd", timeout=30) as page:
                    assert page.read().startswith(b"root:")
                forward.expect(b"Handling connection")
            forward.signal(signal.SIGINT)
            return forward.finish()

    both(ways, scenario)


def test_a_helm_release_is_the_same(shop, ways):
    """helm install --wait, and what its release says; only the time of the installation differs."""

    def scenario(way: Way) -> Outcome:
        outcome = way.run(str(shop.programs.helm), "install", "store", str(CHART), "--wait", "--timeout=60s")
        gone = way.run(str(shop.programs.helm), "uninstall", "store", "--wait", "--timeout=60s")
        assert gone.status == 0
        return type(outcome)(re.sub(rb"LAST DEPLOYED: .*", b"", outcome.stdout), outcome.status)

    outcome = both(ways, scenario)
    assert outcome.status == 0
    assert b"STATUS: deployed" in outcome.stdout


def test_the_python_client_sees_the_same(shop, ways):
    """A list, then a watch that sees every change of three objects in its order."""
    words = (sys.executable, str(WATCHING), shop.robot.namespace)
    outcome = both(ways, lambda way: way.run(*words))
    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.stdout.splitlines()] == [b"ADDED", b"MODIFIED", b"DELETED"] * 3


def test_informers_see_the_same(shop, ways):
    """client-go informers of twelve kinds, begun three times, hold the same objects in the end."""
    words = (str(shop.programs.clients), "informer", f"--namespace={shop.robot.namespace}", "--rounds=3")

    def scenario(way: Way) -> Outcome:
        return way.run(*words)

    outcome = both(ways, scenario)
    assert outcome.status == 0
    assert b"deployments.apps web\n" in outcome.stdout


def test_a_signal_to_apisnoop_reaches_the_command(ways):
    """SIGTERM sent to the one process that was started ends the command, and its exit code comes back."""
    program = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"

    def scenario(way: Way) -> Outcome:
        with way.start("sh", "-c", program) as running:
            running.expect(b"ready\n")
            running.signal(signal.SIGTERM)
            return running.finish()

    assert both(ways, scenario).status == 9


def test_a_file_of_calls_tells_what_was_done(shop, ways, tmp_path):
    """After all that sameness: the calls are there, and the same command directly leaves none."""
    words = (shop.kubectl, "get", "services", "-o", "name")
    both(ways, lambda way: way.run(*words))
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert ("list", "services", 200) in {(call["verb"], call.get("resource"), call["status"]) for call in calls}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
