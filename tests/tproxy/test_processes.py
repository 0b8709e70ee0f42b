"""The index of processes by pod, over a folder that stands for /proc."""

import shutil

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_tproxy import processes
from apisnoop_tproxy.processes import PodProcesses

UID = "0b7c1c26-ffd5-4d54-b3a5-7d1f6e2f1a11"
IN_POD = f"0::/kubepods/pod{UID}/{'c0' * 32}\n"


class Clock:
    """Goes when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """Give a clock that stands."""
    return Clock()


@pytest.fixture
def index(tmp_path, clock):
    """Give an index of an empty /proc."""
    return PodProcesses(tmp_path, clock)


def process(proc, pid, group="0::/\n"):
    """Put a process there."""
    folder = proc / str(pid)
    folder.mkdir(exist_ok=True)
    (folder / "cgroup").write_text(group)


def test_processes_come_and_go(tmp_path, index):
    """What is there is found by its pod, and forgotten when it has gone."""
    process(tmp_path, 7, IN_POD)
    process(tmp_path, 8)
    (tmp_path / "self").mkdir()
    index.refresh()
    assert set(index.of_pod(UID)) == {7}
    shutil.rmtree(tmp_path / "7")
    index.refresh()
    assert index.of_pod(UID) == {}


def test_a_process_on_its_way_into_a_pod_is_found(tmp_path, index, clock):
    """One that was made outside and moved into its control group is looked at again, as long as it is young."""
    process(tmp_path, 7)
    index.refresh()
    process(tmp_path, 7, IN_POD)
    clock.now = 9
    index.refresh()
    assert set(index.of_pod(UID)) == {7}


def test_a_number_that_came_back_is_another_process(tmp_path, index, clock):
    """A process that has the number of an earlier one is not taken for it, however long that was there."""
    process(tmp_path, 7)
    index.refresh()
    clock.now = 1000
    index.refresh()
    (tmp_path / "7").rename(tmp_path / "was-7")
    process(tmp_path, 7, IN_POD)
    index.refresh()
    assert set(index.of_pod(UID)) == {7}


def test_the_longest_known_process_comes_first(tmp_path, index, clock):
    """Numbers start again at the beginning some day: the sandbox's process may have a higher one."""
    process(tmp_path, 900, IN_POD)
    index.refresh()
    clock.now = 1
    process(tmp_path, 8, IN_POD)
    index.refresh()
    assert list(index.of_pod(UID)) == [900, 8]


def test_a_look_of_late_is_enough_for_those_who_say_so(tmp_path, index, clock):
    """Many may ask at once: who needs what was there at a moment gets a look of that moment or later."""
    index.refresh()
    clock.now = 1
    process(tmp_path, 7, IN_POD)
    index.refresh(since=0)
    assert index.of_pod(UID) == {}
    index.refresh(since=1)
    assert set(index.of_pod(UID)) == {7}
    index.forget(7)
    assert index.of_pod(UID) == {}


def test_an_agent_outside_of_the_nodes_namespaces_says_so(tmp_path, monkeypatch):
    """Without the node's first process in sight it says what it needs."""
    monkeypatch.setattr(processes, "HOST", tmp_path / "1")
    with pytest.raises(ApisnoopError, match="hostPID and SYS_PTRACE"):
        processes.require_node()
