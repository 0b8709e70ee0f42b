"""Which container of a pod a control group or a process belongs to, by the name that its specification gives it.

The pod's status knows names by the runtime's IDs, but lags behind by a second or more when a container starts. Until
then the kubelet's own mounts tell: every container has a folder of its name mounted for its last words.

A pod's programs decide how many processes, descriptors and mounts there are to look at, so each look has its bounds;
what is not found within them is not known. It takes milliseconds, there a second: to be called in a thread.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from apisnoop_tproxy.cgroup_path import parse_cgroup, parse_path
from apisnoop_tproxy.processes import PROC

_DEEPEST, _MOST_FOLDERS = 6, 1000
_MOST_DESCRIPTORS = 50_000
_MOST_MEMBERS = 100
_LARGEST = 1 << 20
"""Bytes of what the kernel tells of a process that are read."""


def container_of_group(group: int, folder: Path, pod_uid: str, names: Mapping[str, str], proc: Path = PROC) -> str:
    """Return the name of the container whose control group has this ID, empty if it cannot be told.

    `folder` is the pod's in the unified hierarchy; `names` are the container names by ID that the pod's status knows. A
    control group's ID is its folder's inode.
    """
    depth = len(folder.parts)
    for looked, (place, below, _) in enumerate(os.walk(folder)):
        path = Path(place)
        if looked >= _MOST_FOLDERS:
            break
        if len(path.parts) - depth >= _DEEPEST:
            below.clear()
        with suppress(OSError):
            if path.stat().st_ino == group:
                found = parse_path("/".join(("", folder.name, *path.parts[depth:])))
                return names.get(found.container if found else "") or _name_by_members(path, pod_uid, proc)
    return ""


def container_of_inode(
    inode: int, pids: Mapping[int, str], pod_uid: str, names: Mapping[str, str], proc: Path = PROC
) -> str:
    """Return the name of the container of which a process holds this socket; for kernels that keep no control group.

    `pids` are the pod's processes and the ID of the container of each.
    """
    left = _MOST_DESCRIPTORS
    for pid, identity in pids.items():
        with suppress(OSError), os.scandir(proc / str(pid) / "fd") as descriptors:
            for descriptor in descriptors:
                left -= 1
                if left < 0:
                    return ""
                if _is_socket(descriptor.path, inode):
                    return names.get(identity) or container_by_mounts(pid, pod_uid, proc)
    return ""


def container_by_mounts(pid: int, pod_uid: str, proc: Path = PROC) -> str:
    """Return the name of a process's container by what the kubelet has mounted into it, empty if that says nothing."""
    with suppress(OSError):
        mounts = _read(proc / str(pid) / "mountinfo")
        found = re.search(rf"/pods/{re.escape(pod_uid)}/containers/([a-z0-9.-]+)/", mounts)
        if found:
            return found[1]
    return ""


def _name_by_members(group: Path, pod_uid: str, proc: Path) -> str:
    with suppress(OSError):
        for pid in _read(group / "cgroup.procs").split()[:_MOST_MEMBERS]:
            place = parse_cgroup(_read(proc / pid / "cgroup"))
            if place is not None and place.pod_uid == pod_uid:
                return container_by_mounts(int(pid), pod_uid, proc)
    return ""


def _is_socket(descriptor: str, inode: int) -> bool:
    try:
        return os.readlink(descriptor) == f"socket:[{inode}]"  # noqa: PTH115 - pathlib takes three times as long
    except OSError:
        return False


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode(errors="replace")
