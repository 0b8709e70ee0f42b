"""Which container of a pod a control group or a process belongs to, by the name that its specification gives it.

The pod's status knows names by the runtime's IDs, but lags behind by a second or more when a container starts. Until
then the kubelet's own mounts tell: every container has a folder of its name mounted for its last words.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from apisnoop_tproxy.cgroup_path import parse_cgroup, parse_path
from apisnoop_tproxy.processes import HOST, PROC

_DEEPEST = 6


def container_of_group(
    group: int, pod_path: str, pod_uid: str, names: Mapping[str, str], unified: Path, proc: Path = PROC
) -> str:
    """Return the name of the container whose control group has this ID, empty if it cannot be told.

    `pod_path` is the pod's folder below `unified`, where the unified hierarchy is mounted; `names` are the container
    names by ID that the pod's status knows. A control group's ID is its folder's inode.
    """
    top = unified / pod_path.lstrip("/")
    depth = len(top.parts)
    for folder, below, _ in os.walk(top):
        path = Path(folder)
        if len(path.parts) - depth >= _DEEPEST:
            below.clear()
        with suppress(OSError):
            if path.stat().st_ino == group:
                place = parse_path(f"/{path.relative_to(unified)}")
                identity = place.container if place else ""
                return names.get(identity) or _name_by_members(path, pod_uid, proc)
    return ""


def container_of_inode(inode: int, pids: Mapping[int, str], pod_uid: str, names: Mapping[str, str]) -> str:
    """Return the name of the container of which a process holds this socket; for kernels that keep no control group.

    `pids` are the pod's processes and the ID of the container of each.
    """
    for pid, identity in pids.items():
        with suppress(OSError):
            if any(_is_socket(entry, inode) for entry in (PROC / str(pid) / "fd").iterdir()):
                return names.get(identity) or container_by_mounts(pid, pod_uid)
    return ""


def container_by_mounts(pid: int, pod_uid: str, proc: Path = PROC) -> str:
    """Return the name of a process's container by what the kubelet has mounted into it, empty if that says nothing."""
    with suppress(OSError):
        mounts = (proc / str(pid) / "mountinfo").read_text()
        found = re.search(rf"/pods/{re.escape(pod_uid)}/containers/([a-z0-9.-]+)/", mounts)
        if found:
            return found[1]
    return ""


def unified_hierarchy(proc: Path = HOST) -> Path | None:
    """Find where the node has mounted its unified hierarchy, as a path that works from here; None if nowhere."""
    with suppress(OSError):
        for line in (proc / "mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                return proc / "root" / before.split()[4].lstrip("/")
    return None


def _name_by_members(group: Path, pod_uid: str, proc: Path) -> str:
    with suppress(OSError):
        for line in (group / "cgroup.procs").read_text().split():
            place = parse_cgroup((proc / line / "cgroup").read_text())
            if place is not None and place.pod_uid == pod_uid:
                return container_by_mounts(int(line), pod_uid, proc)
    return ""


def _is_socket(entry: Path, inode: int) -> bool:
    try:
        return str(entry.readlink()) == f"socket:[{inode}]"
    except OSError:
        return False
