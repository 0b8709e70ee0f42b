"""Servers that send clients away, restart or die: a request fails through apisnoop only if it fails directly."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from cluster import ApiServer
from e2e.audit_events import read_log
from e2e.audit_join import Excluded, join_files
from e2e.conftest import client_environment
from e2e.recorded_calls import read_calls
from e2e.robot import create_robot
from e2e.ways import direct, through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from e2e.conversation import Outcome
    from e2e.programs import Programs
    from e2e.robot import Robot
    from e2e.ways import Way

pytestmark = pytest.mark.cluster

OBJECTS = 300
CALLS = 3000
GOAWAY = ("--goaway-chance=0.02",)


@pytest.fixture(scope="module")
def impatient() -> Iterator[ApiServer]:
    """An API server that sends one client in fifty away after its request (HTTP/2 GOAWAY), to spread load."""
    # The controllers fill the role `admin`.
    with ApiServer.start(controllers=True, arguments=GOAWAY) as server:
        yield server


def each_way(server: ApiServer, folder: Path, play: Callable[[Way, Robot], Outcome]) -> tuple[Outcome, Outcome, Robot]:
    """Play a scenario directly and through apisnoop, each with a service account of its own; return the second one."""
    other, robot = create_robot(server, folder), create_robot(server, folder)
    plain = play(direct(client_environment(other.kubeconfig, folder)), other)
    recorded = play(through(client_environment(robot.kubeconfig, folder), folder), robot)
    return plain, recorded, robot


def load(programs: Programs, robot: Robot, *options: str) -> tuple[str, ...]:
    """Give the command line of a load in a service account's namespace."""
    return (str(programs.clients), "load", f"--namespace={robot.namespace}", *options)


@pytest.mark.parametrize("option", ["--server-side=false", "--server-side=true"])
def test_no_apply_fails_for_a_goaway(option, impatient, tmp_path):
    """kubectl apply of 300 objects: all of them go through, and every call agrees."""
    manifests = tmp_path / "many.yaml"
    manifests.write_text(yaml.safe_dump_all(config_map(number) for number in range(OBJECTS)))

    def apply(way: Way, robot: Robot) -> Outcome:
        return way.run(str(impatient.kubectl_path), "apply", option, "--filename", str(manifests))

    plain, recorded, robot = each_way(impatient, tmp_path, apply)
    assert recorded == plain
    assert recorded.status == 0
    assert len(recorded.stdout.splitlines()) == OBJECTS
    agreement = join_files(impatient.audit_log, tmp_path / "calls.jsonl", robot.user)
    assert agreement.holds, f"\n{agreement}"
    assert agreement.excluded[Excluded.BY_PROXY] == 0


def test_no_call_of_a_load_fails_for_a_goaway(impatient, programs, tmp_path):
    """Writes of every kind from several workers over one HTTP/2 connection: none fails, none is lost or made up."""

    def play(way: Way, robot: Robot) -> Outcome:
        return way.run(*load(programs, robot, f"--calls={CALLS}", "--workers=4"))

    plain, recorded, robot = each_way(impatient, tmp_path, play)
    assert json.loads(plain.stdout)["errors"] == []
    assert json.loads(recorded.stdout)["errors"] == []
    agreement = join_files(impatient.audit_log, tmp_path / "calls.jsonl", robot.user)
    assert agreement.holds, f"\n{agreement}"
    assert agreement.joined_by_id >= CALLS
    assert agreement.excluded[Excluded.BY_PROXY] == 0


def test_a_watch_ends_with_its_server_as_it_does_directly(impatient, tmp_path):
    """kubectl get -w that is cut off by the server's death says the same and leaves with the same exit code."""

    def play(way: Way, robot: Robot) -> Outcome:
        words = ("get", "serviceaccounts", "--watch", "-o", "name")
        with way.start(str(impatient.kubectl_path), *words) as watch:
            watch.expect(b"serviceaccount/robot\n")
            impatient.kubectl("create", "serviceaccount", "late", f"--namespace={robot.namespace}")
            watch.expect(b"serviceaccount/late\n")  # the list is long over, and the watch has been answered
            impatient.restart_apiserver(GOAWAY, grace=0)
            return watch.finish()

    plain, recorded, _ = each_way(impatient, tmp_path, play)
    assert recorded == plain
    assert recorded.status == 0


SCRIPT = """
"$1" informer --namespace="$2" --until=the-end & informer=$!
"$1" load --namespace="$2" --calls=4000 --pause=10ms
read after
"$1" load --namespace="$2" --calls=300 && "$3" create configmap the-end -o name && wait $informer
"""


def test_clients_outlive_a_restart_of_their_server(impatient, programs, tmp_path):
    """Under load: calls fail only while the server is away, informers find back, and later calls all go through."""
    robot = create_robot(impatient, tmp_path)
    way = through(client_environment(robot.kubeconfig, tmp_path), tmp_path)
    calls = tmp_path / "calls.jsonl"
    programs_and_names = (str(programs.clients), robot.namespace, str(programs.kubectl))
    with way.start("sh", "-c", SCRIPT, "sh", *programs_and_names) as running:
        wait_for_calls(impatient.audit_log, robot.user, 300)
        away = time.time()
        impatient.restart_apiserver(GOAWAY)
        back = time.time()
        running.expect(b"}\n")
        running.send(b"\n")
        outcome = running.finish()
    during, after, *seen = outcome.stdout.splitlines()
    assert outcome.status == 0
    assert json.loads(during)["failed"] > 0, "the server was not away"
    assert json.loads(after)["errors"] == []
    assert b"configmaps the-end" in seen
    with calls.open("rb") as lines:
        failed = [call for call in read_calls(lines) if call.error or call.status >= 500 or call.status == 0]
    assert [
        call for call in failed if not away - 1 <= call.started + call.duration <= back + 1 and call.verb != "watch"
    ] == []
    agreement = join_files(impatient.audit_log, calls, robot.user)
    assert agreement.holds, f"\n{agreement}"


def config_map(number: int) -> dict[str, object]:
    metadata = {"name": f"many-{number}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}


def wait_for_calls(audit_log: Path, user: str, count: int) -> None:
    """Return when the server has served so many calls of a user."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sum(event.user == user for event in read_log(audit_log)) >= count:
            return
        time.sleep(0.05)  # a log cannot be waited on
    raise TimeoutError(f"{user} made less than {count} calls in a minute")
