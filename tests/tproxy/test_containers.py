"""The container of a control group, or of a socket, over folders that stand for the kernel's."""

import pytest

from apisnoop_tproxy import containers
from apisnoop_tproxy.containers import container_by_mounts, container_of_group, container_of_inode

UID = "6b3a1c5e-0d1f-4a57-9d8e-0123456789ab"
SLICE = UID.replace("-", "_")
APP, SIDECAR = "a0" * 32, "b0" * 32
NAMES = {APP: "app", SIDECAR: "sidecar"}


def process(proc, pid, *, group="", mounts="", sockets=()):
    """Put a process there."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "cgroup").write_text(f"0::{group}\n")
    (folder / "mountinfo").write_text(mounts)
    (folder / "fd/0").symlink_to("/dev/null")
    for number, inode in enumerate(sockets, 1):
        (folder / f"fd/{number}").symlink_to(f"socket:[{inode}]")


def mounts(name):
    """Render what the kubelet mounts into a container for its last words."""
    return f"700 1 8:1 /kubelet/pods/{UID}/containers/{name}/0a1b2c3d /dev/termination-log rw - ext4 /dev/sda rw\n"


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        (f"pod{UID}", APP),
        (f"kubepods-burstable-pod{SLICE}.slice", f"cri-containerd-{APP}.scope"),
        (f"kubepods-pod{SLICE}.slice", f"crio-{APP}.scope"),
        ("containerd.service", f"kubepods-burstable-pod{SLICE}.slice:cri-containerd:{APP}"),
    ],
)
def test_a_group_is_a_containers(tmp_path, pod, container):
    """Its own and those that it has made below are known by the container's ID, in every form of path."""
    below = tmp_path / pod / container / "system.slice" / "nested.service"
    below.mkdir(parents=True)
    for folder in (tmp_path / pod / container, below):
        assert container_of_group(folder.stat().st_ino, tmp_path / pod, UID, NAMES) == "app"
    assert container_of_group(tmp_path.stat().st_ino, tmp_path / pod, UID, NAMES) == ""


def test_a_container_that_the_status_does_not_know_yet_is_named_by_its_mounts(tmp_path):
    """A process of the group tells, unless it has left the pod meanwhile."""
    group = tmp_path / f"pod{UID}" / APP
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("7\n")
    process(tmp_path, 7, group="/elsewhere", mounts=mounts("wrong"))
    process(tmp_path, 8, group=f"/kubepods/pod{UID}/{APP}", mounts=mounts("web"))
    assert container_of_group(group.stat().st_ino, group.parent, UID, {}, tmp_path) == ""
    (group / "cgroup.procs").write_text("7\n8\n")
    assert container_of_group(group.stat().st_ino, group.parent, UID, {}, tmp_path) == "web"


def test_a_socket_is_the_holders(tmp_path):
    """Who holds it tells its container; what nobody holds is nobody's."""
    process(tmp_path, 7, sockets=[70, 71])
    process(tmp_path, 8, sockets=[80], mounts=mounts("web"))
    pids = {6: APP, 7: SIDECAR, 8: "unknown"}
    assert container_of_inode(71, pids, UID, NAMES, tmp_path) == "sidecar"
    assert container_of_inode(80, pids, UID, NAMES, tmp_path) == "web"
    assert container_of_inode(90, pids, UID, NAMES, tmp_path) == ""


def test_no_more_is_looked_at_than_is_bearable(tmp_path, monkeypatch):
    """Of descriptors, folders and bytes each look takes so many, and then does not know."""
    process(tmp_path, 7, sockets=range(100, 200))
    process(tmp_path, 8, sockets=[80], mounts="x" * 2000 + mounts("late"))
    monkeypatch.setattr(containers, "_MOST_DESCRIPTORS", 50)
    assert container_of_inode(80, {8: APP}, UID, NAMES, tmp_path) == "app"
    assert container_of_inode(80, {7: APP, 8: APP}, UID, NAMES, tmp_path) == ""
    assert container_by_mounts(8, UID, tmp_path) == "late"
    monkeypatch.setattr(containers, "_LARGEST", 1000)
    assert container_by_mounts(8, UID, tmp_path) == ""
    pod = tmp_path / f"pod{UID}"
    for number in range(20):
        (pod / (f"{number:02x}" * 32)).mkdir(parents=True)
    monkeypatch.setattr(containers, "_MOST_FOLDERS", 10)
    names = {f"{number:02x}" * 32: "app" for number in range(20)}
    found = [container_of_group(one.stat().st_ino, pod, UID, names) for one in pod.iterdir()]
    assert sorted(found) == [""] * 11 + ["app"] * 9
