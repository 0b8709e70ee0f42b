"""Control groups of a cluster's nodes, on cgroup v1, v2 and both beside one another.

Each node gets a group of its own in every hierarchy and sees it as the root (a cgroup namespace): two kubelets that
share a root delete each other's pods as orphans. The groups are also how everything a node ever started is found again
after a crash, because a process cannot leave them by dying, forking or changing its name.
"""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .slot import Slot

# Mount options that say how a hierarchy is mounted; what is left says which controllers it has.
_GENERIC_OPTIONS = {"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children"}
_REMOVAL_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted cgroup hierarchy: `kind` is the file system type, `options` name the controllers (v1 only)."""

    path: Path
    kind: str
    options: str

    @property
    def mount_line(self) -> str:
        """What a node's shell needs to mount the hierarchy afresh: type, options and place."""
        return f"{self.kind} {self.options or 'rw'} {self.path}"


def hierarchies() -> list[Hierarchy]:
    """List the hierarchies mounted on this machine."""
    return parse_mounts(Path("/proc/self/mounts").read_text())


def parse_mounts(mounts: str) -> list[Hierarchy]:
    """Find the cgroup hierarchies in the text of /proc/self/mounts."""
    found = {}
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found[place] = Hierarchy(Path(place), kind, _controllers(options) if kind == "cgroup" else "")
    return list(found.values())


def _controllers(options: str) -> str:
    names = [
        option
        for option in options.split(",")
        if option not in _GENERIC_OPTIONS and not option.startswith("release_agent=")
    ]
    if any(name.startswith("name=") for name in names):
        names.insert(0, "none")
    return ",".join(names)


def create(slot: Slot, node: str) -> list[Path]:
    """Make the groups of a node or of the control plane; return the files a process writes its id into to join them."""
    found = hierarchies()
    unified = len(found) == 1
    return [_create_in(hierarchy, slot, node, delegate=unified) / "cgroup.procs" for hierarchy in found]


def _create_in(hierarchy: Hierarchy, slot: Slot, node: str, *, delegate: bool) -> Path:
    group = hierarchy.path
    for name in (slot.name, node):
        if delegate:
            _delegate(group)
        parent, group = group, group / name
        group.mkdir(exist_ok=True)
        if hierarchy.kind == "cgroup":
            _copy_cpuset(parent, group)
        if name == slot.name:
            weigh(group)
    return group


def create_beside(pid: int, name: str) -> list[Path]:
    """Make the groups `name` beside those of process `pid`; return the files a process writes its id into to join."""
    files = []
    for hierarchy in hierarchies():
        group = group_of(pid, hierarchy)
        if group is not None:
            beside = group.parent / name
            beside.mkdir(exist_ok=True)
            if hierarchy.kind == "cgroup":
                _copy_cpuset(group, beside)
            files.append(beside / "cgroup.procs")
    return files


def group_of(pid: int, hierarchy: Hierarchy, proc: Path = Path("/proc")) -> Path | None:
    """Return the group of process `pid` in a hierarchy, None where it has none."""
    wanted = set(hierarchy.options.removeprefix("none,").split(","))
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if set(controllers.split(",")) == wanted:
            return hierarchy.path / group.lstrip("/")
    return None


def weigh(group: Path) -> None:
    """Let a cluster get as much processor as 16 programs of the machine, where it is scarce.

    A group weighs as much as one, otherwise: all containers together would have to share what a single compiler gets.
    """
    for name, weight in (("cpu.shares", 16 * 1024), ("cpu.weight", 16 * 100)):
        if (group / name).exists():
            (group / name).write_text(str(weight))


def _delegate(group: Path) -> None:
    """Give the children of a v2 group every controller the group has.

    Only where v2 is all there is: beside v1 it has no controller that a node needs.
    """
    for controller in (group / "cgroup.controllers").read_text().split():
        (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _copy_cpuset(parent: Path, child: Path) -> None:
    """Let a v1 cpuset use what its parent may: it starts empty, and an empty one accepts no process."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (child / name).exists():
            (child / name).write_text((parent / name).read_text())


def remove(slot: Slot, node: str = "") -> None:
    """Kill what runs in a slot's groups, or only in those of one node, and remove them; no groups is fine.

    Raises TimeoutError naming the group when a process cannot be killed.
    """
    deadline = time.monotonic() + _REMOVAL_TIMEOUT
    roots = [hierarchy.path / slot.name / node for hierarchy in hierarchies()]
    for root in roots:
        while pids := _members(root):
            _kill(pids)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{root}: processes {sorted(pids)} cannot be killed; look at their stack in /proc")
    for root in roots:
        for group in _deepest_first(root):
            _rmdir(group, deadline)


def _members(root: Path) -> set[int]:
    pids: set[int] = set()
    for group in _deepest_first(root):
        try:
            pids.update(int(line) for line in (group / "cgroup.procs").read_text().split())
        except FileNotFoundError:
            continue
    # Id 0 is a process of a pid namespace we cannot see; none of ours is.
    return pids - {0}


def _kill(pids: set[int]) -> None:
    """Send SIGKILL and wait until each process has ended (or a second has passed)."""
    poller = select.poll()
    descriptors = []
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            continue
        poller.register(descriptor, select.POLLIN)
        descriptors.append(descriptor)
    waiting = set(descriptors)
    while waiting and (ended := poller.poll(1000)):
        for descriptor, _ in ended:
            poller.unregister(descriptor)
            waiting.discard(descriptor)
    for descriptor in descriptors:
        os.close(descriptor)


def _rmdir(group: Path, deadline: float) -> None:
    """Remove a group; the kernel lets go of its last process a moment after that has ended."""
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"cgroup {group} cannot be removed: {error.strerror}") from error
            time.sleep(0.01)  # there is no event for it on cgroup v1
        else:
            return


def _deepest_first(root: Path) -> Iterator[Path]:
    for directory, _, _ in os.walk(root, topdown=False):
        yield Path(directory)
