"""Nothing is missed and nothing invented: a workload of five thousand calls against the API server's own audit log."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from e2e.audit_events import read_log
from e2e.audit_join import OWN_AGENT, Excluded, join, join_files
from e2e.conftest import client_environment
from e2e.patience import PATIENCE
from e2e.recorded_calls import read_calls
from e2e.robot import Robot, create_robot, remove_robot
from e2e.settled import wait_until_settled
from e2e.ways import APISNOOP, through
from e2e.workload import TESTS, workload_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

LEAST_CALLS = 5000


@dataclass(frozen=True, slots=True)
class Recording:
    """A workload that was run through apisnoop, and what is known of it."""

    robot: Robot
    audit_log: Path
    calls: Path
    store: Path
    status: int
    said: str


@pytest.fixture(scope="module")
def recording(cluster, programs, tmp_path_factory) -> Iterator[Recording]:
    """Run the workload once, as a service account of its own."""
    folder = tmp_path_factory.mktemp("workload")
    robot = create_robot(cluster, folder)
    way = through({**client_environment(robot.kubeconfig, folder), "PYTHONPATH": str(TESTS)}, folder)
    with way.start(*workload_command(programs, robot.namespace)) as running:
        outcome = running.finish(seconds=PATIENCE)
        said = running.stderr.decode()
    wait_until_settled(cluster.audit_log, robot.user)
    calls, store = folder / "calls.jsonl", folder / "apisnoop.db"
    yield Recording(robot, cluster.audit_log, calls, store, outcome.status, said)
    remove_robot(cluster, robot)


def test_the_workload_runs_to_its_end(recording):
    """Not one of its clients notices the proxy."""
    assert recording.status == 0, recording.said


def test_every_call_is_recorded_once_and_nothing_else(recording):
    """0 missing, 0 extra, 0 different; what is left out is apisnoop's own question for the server's version."""
    agreement = join_files(recording.audit_log, recording.calls, recording.robot.user)
    assert agreement.holds, f"\n{agreement}"
    assert agreement.events >= LEAST_CALLS
    assert agreement.joined_by_time >= 8
    assert agreement.named == agreement.joined_by_id + agreement.joined_by_time
    assert agreement.excluded[Excluded.OWN] == 1
    # A watch that its client ended before the answer began; nothing else may be left out of a healthy run.
    assert sum(agreement.excluded.values()) - 1 - agreement.excluded[Excluded.CLIENT_GONE] == 0, f"\n{agreement}"
    assert agreement.excluded[Excluded.CLIENT_GONE] <= 10, f"\n{agreement}"


def test_a_call_that_is_taken_away_is_missed(recording):
    """The same join, shown one call less, one twice, and one with another status or user, says so each time."""
    events = read_log(recording.audit_log)
    lines = recording.calls.read_bytes().splitlines()
    calls = read_calls(lines)
    user = recording.robot.user
    assert len(join(events, calls[1:], user).missing) == 1
    assert len(join(events, [*calls, calls[0]], user).extra) == 1
    first = json.loads(lines[0])
    for change in ({"status": 418}, {"caller": {**first["caller"], "user": "system:kube-scheduler"}}):
        changed = read_calls([json.dumps({**first, **change}).encode()])
        assert len(join(events, changed + calls[1:], user).different) == 1


def test_the_workload_does_what_the_issue_asks_for(recording):
    """Every verb, every kind of patch, streams of every kind, from kubectl, Helm, Python and Go."""
    calls = [json.loads(line) for line in recording.calls.read_text().splitlines()]
    verbs = {"get", "list", "watch", "create", "update", "patch", "delete"}
    details = {"apply", "json-patch", "merge-patch", "strategic-merge-patch", "dry-run", "connect-exec"}
    assert verbs <= {call.get("verb") for call in calls}
    assert details <= {part for call in calls for part in call.get("detail", "").split(",")}
    assert {"exec", "portforward", "log", "scale"} <= {call.get("subresource") for call in calls}
    clients = Counter(call["caller"]["client"] for call in calls)
    assert {"kubectl", "Helm", "OpenAPI-Generator", "clients"} <= set(clients)


def test_the_store_counts_what_the_file_lists(recording):
    """The tallies by verb and status add up to the lines, call for call."""
    lines = (json.loads(line) for line in recording.calls.read_text().splitlines())
    assert tallies(recording.store, "verb, status") == Counter((line["verb"], line["status"]) for line in lines)


def test_the_audit_log_alone_gives_the_same_coverage(recording, tmp_path):
    """What the proxy recorded and what importing the server's log finds are the same operations, answers and counts."""
    mine = tmp_path / "audit.log"
    with recording.audit_log.open("rb") as lines:
        mine.write_bytes(b"".join(line for line in lines if is_of_workload(line, recording.robot.user)))
    store = tmp_path / "audit.db"
    command = [APISNOOP, "import", mine, "--db", store]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    wanted = "kind, operation, verb, status"
    assert tallies(store, wanted) == tallies(recording.store, wanted)


def is_of_workload(line: bytes, user: str) -> bool:
    event = json.loads(line)
    return event["user"]["username"] == user and not event["userAgent"].startswith(OWN_AGENT)


def tallies(store: Path, columns: str) -> Counter[tuple[str, ...]]:
    """Read how many calls a store has by some of its dimensions, with plain SQLite."""
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute(f"SELECT {columns}, sum(count) FROM calls GROUP BY {columns}")
        return Counter({tuple(row[:-1]): row[-1] for row in rows})
