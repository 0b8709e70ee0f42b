"""Where the node's control groups are to be found as folders, and how /proc names them for us.

A container usually has a cgroup namespace of its own, and there /proc/PID/cgroup names every other group by the way to
it from ours: `/../../kubepods-podUID.slice/…`. That tells the pod, but not the names of what is above our own group,
and so no folder. As the agent may, it joins the namespace of the node's first process, and sees what that sees.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from apisnoop_tproxy.processes import HOST

logger = logging.getLogger(__name__)


class Hierarchy(msgspec.Struct, frozen=True):
    """The unified hierarchy (cgroup v2), as it is mounted on the node."""

    folder: Path
    """Where, as a path that works from here."""
    root: str = "/"
    """Which group that is: not the first one where the node is itself a container without such a namespace."""

    def folder_of(self, path: str) -> Path | None:
        """Return the folder of a group that /proc names so, None if it is not below what is mounted."""
        found = Path(path)
        if ".." in found.parts or not found.is_relative_to(self.root):
            return None
        return self.folder / found.relative_to(self.root)


def join_cgroup_namespace(host: Path = HOST) -> None:
    """See control groups as a process does, in this thread and those that it starts; without, looks take longer.

    The process stays in its own group. Needs CAP_SYS_ADMIN; see cgroup_namespaces(7).
    """
    try:
        descriptor = os.open(host / "ns/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a kernel without such namespaces: there is but one view
        return
    try:
        os.setns(descriptor, os.CLONE_NEWCGROUP)
    except OSError as error:
        logger.warning("control groups are seen from our own, which makes it slower to name containers: %s", error)
    finally:
        os.close(descriptor)


def unified_hierarchy(host: Path = HOST) -> Hierarchy | None:
    """Find where a process sees the unified hierarchy; None if nowhere."""
    found: list[Hierarchy] = []
    with suppress(OSError):
        for line in (host / "mountinfo").read_text().splitlines():
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                _, _, _, root, place, *_ = before.split()
                found.append(Hierarchy(host / "root" / place.lstrip("/"), root))
    return min(found, key=lambda one: len(Path(one.root).parts), default=None)
