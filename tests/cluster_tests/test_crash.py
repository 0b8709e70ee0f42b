"""A cluster whose owner dies leaves nothing on the machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster import ApiServer, Cluster
from cluster.claim import sweep
from cluster.slot import Slot
from cluster_tests.traces import kinds, processes, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster

TESTS = Path(__file__).parent.parent
TIMEOUT = 60


@contextmanager
def owner(*arguments: str) -> Iterator[tuple[int, Slot]]:
    """Run cluster_tests/owner.py: its process id, and the slot of its cluster."""
    command = [sys.executable, "-m", "cluster_tests.owner", *arguments]
    with subprocess.Popen(command, cwd=TESTS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.pid, Slot(int(process.stdout.readline()))
        finally:
            process.kill()


def keeper_of(slot: Slot) -> int:
    return int((slot.directory / "keeper.pid").read_text())


def kill_and_wait(victims: list[int], others: list[int]) -> None:
    """Kill `victims` at once, and wait until they and `others` have ended."""
    descriptors = [os.pidfd_open(pid) for pid in victims]
    for pid in others:
        with suppress(ProcessLookupError):  # it has ended since it was listed
            descriptors.append(os.pidfd_open(pid))
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], TIMEOUT)[0], "a process did not end"
        os.close(descriptor)


def test_a_killed_owners_cluster_is_gone_when_its_keeper_is() -> None:
    """kill -9 of the owner: processes, mounts, control groups, devices and folders are removed at once."""
    with owner("cluster") as (pid, slot):
        had = traces(slot)
        assert kinds(had) == {"process", "cgroup", "device", "folder"}
        kill_and_wait([pid], [keeper_of(slot)])
        assert had & traces(slot) == set()


def test_what_remains_of_a_killed_keeper_goes_with_the_next_start() -> None:
    """kill -9 of owner and keeper: the kernel ends every process, the next start removes folders and groups."""
    with owner("cluster") as (pid, slot):
        had, keeper = traces(slot), keeper_of(slot)
        kill_and_wait([keeper, pid], [process for process in processes(slot) if process != keeper])
        assert kinds(had & traces(slot)) <= {"cgroup", "folder"}
        sweep()
        assert had & traces(slot) == set()


def test_a_forked_child_of_the_owner_does_not_keep_the_cluster() -> None:
    """The child still has the owner's socket open, but it is the owner's life that counts."""
    with owner("api", "fork") as (pid, slot):
        had = traces(slot)
        kill_and_wait([pid], [keeper_of(slot)])
        assert had & traces(slot) == set()


def test_a_stopped_cluster_is_gone_even_when_its_keeper_was_killed() -> None:
    """The owner does what its keeper cannot do any more."""
    with Cluster.start() as cluster:
        slot = Slot(int(cluster.directory.name))
        had, keeper = traces(slot), keeper_of(slot)
        kill_and_wait([keeper], [process for process in processes(slot) if process != keeper])
    assert had & traces(slot) == set()


def test_the_logs_of_a_cluster_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable set, every component's log and the audit log are there after the end."""
    monkeypatch.setenv("APISNOOP_TEST_LOGS", str(tmp_path))
    with ApiServer.start() as server:
        server.kubectl("get", "namespaces")
    (kept,) = tmp_path.iterdir()
    assert {"audit.log", "etcd.log", "keeper.log", "kube-apiserver.log"} == {path.name for path in kept.iterdir()}
    assert "/api/v1/namespaces" in (kept / "audit.log").read_text()


def test_a_running_cluster_is_not_swept() -> None:
    """Cleaning at a start is for the dead only."""
    with owner("api") as (_, slot):
        had = traces(slot)
        sweep()
        assert traces(slot) == had
