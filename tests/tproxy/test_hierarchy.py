"""Where control groups are, and how /proc names them for a process in a cgroup namespace of its own."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from apisnoop_tproxy.hierarchy import Hierarchy, join_cgroup_namespace, unified_hierarchy

POD = "pod6b3a1c5e-0d1f-4a57-9d8e-0123456789ab"
INSIDE = """
import os, sys
from pathlib import Path
from apisnoop_tproxy.hierarchy import join_cgroup_namespace

outside = Path("/proc", str(os.getppid()))

def shown():
    return next(line for line in (outside / "cgroup").read_text().splitlines() if line.startswith("0::"))

Path(sys.argv[1], "cgroup.procs").write_text("0")
os.unshare(os.CLONE_NEWCGROUP)
print(shown())
join_cgroup_namespace(outside)
print(shown())
"""


def mounted(tmp_path, *lines):
    """Write what a process has mounted."""
    (tmp_path / "mountinfo").write_text("".join(f"{line}\n" for line in lines))
    return unified_hierarchy(tmp_path)


@pytest.fixture
def group():
    """Give a control group two below our own."""
    hierarchy = unified_hierarchy(Path("/proc/self"))
    if os.geteuid() or hierarchy is None:
        pytest.skip("control groups need root and a unified hierarchy")
    ours = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))[3:]
    top = hierarchy.folder_of(ours) / f"apisnoop-test-{os.getpid()}"
    (top / "inner").mkdir(parents=True)
    yield top / "inner"
    for folder in (top / "inner", top):
        with suppress(OSError):
            folder.rmdir()


def test_the_unified_hierarchy_is_found(tmp_path):
    """On cgroup v2 and where both versions are mounted, it is the one mount of its kind; on v1 there is none."""
    version1 = "31 30 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids"
    assert mounted(tmp_path, version1) is None
    assert mounted(tmp_path, version1, "32 30 0:28 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw") == (
        Hierarchy(tmp_path / "root/sys/fs/cgroup/unified")
    )
    assert unified_hierarchy(tmp_path / "gone") is None


def test_the_mount_of_most_groups_counts(tmp_path):
    """A part of it that is mounted elsewhere, too, is not taken for the whole."""
    part = "40 30 0:28 /kubepods /run/part rw - cgroup2 none rw"
    whole = "41 30 0:28 / /sys/fs/cgroup rw - cgroup2 none rw"
    assert mounted(tmp_path, part, whole) == Hierarchy(tmp_path / "root/sys/fs/cgroup")


def test_a_group_has_a_folder():
    """Its name is the way to the folder, but for the part that is not mounted; the way up leads nowhere."""
    whole, part = Hierarchy(Path("/c")), Hierarchy(Path("/c"), "/docker/node1")
    assert whole.folder_of(f"/kubepods/burstable/{POD}") == Path(f"/c/kubepods/burstable/{POD}")
    assert part.folder_of(f"/docker/node1/kubelet/{POD}") == Path(f"/c/kubelet/{POD}")
    assert part.folder_of(f"/docker/node2/kubelet/{POD}") is None
    assert whole.folder_of(f"/../../burstable/{POD}") is None


def test_groups_are_seen_as_the_node_sees_them(group):
    """In a namespace of its own a process is shown the way up; after it has joined the node's it is shown names."""
    command = [sys.executable, "-c", INSIDE, str(group)]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout.split()
    assert shown[0] == "0::/../.."
    assert shown[1:] == [line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]


def test_a_view_that_is_refused_is_done_without(tmp_path, caplog):
    """What cannot be joined is told, and the agent goes on."""
    (tmp_path / "ns").mkdir()
    (tmp_path / "ns/cgroup").write_text("no namespace")
    join_cgroup_namespace(tmp_path)
    assert "slower to name containers" in caplog.text


def test_a_kernel_without_such_namespaces_has_one_view(tmp_path):
    """There is nothing to join then."""
    join_cgroup_namespace(tmp_path)
