"""The processes of pods, found by their control groups, and the network namespace that a pod's processes share.

A process ID names another process as soon as the first has ended. So each is held by a pidfd (pidfd_open(2)) before
anything is believed of it, and what was read counts only if it is still alive afterwards.
"""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from apisnoop_tproxy.cgroup_path import PodCgroup, parse_cgroup

PROC = Path("/proc")
HOST = PROC / "1"
"""The node's first process, which the agent sees (hostPID): the way to the node's namespaces and files."""


class Held(msgspec.Struct, frozen=True):
    """A process that cannot be confused with another as long as its pidfd is open."""

    pid: int
    pidfd: int

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not select.select([self.pidfd], [], [], 0)[0]


class PodProcesses:
    """An index of the node's processes by pod. What it says is a hint, to be checked when used."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._groups: dict[int, PodCgroup | None] = {}
        """Every process seen, by ID."""

    def refresh(self) -> None:
        """Look at processes that have come, and forget those that have gone."""
        present = {int(entry) for entry in os.listdir(self._proc) if entry.isdecimal()}  # noqa: PTH208 - twice as fast
        for pid in self._groups.keys() - present:
            del self._groups[pid]
        for pid in present - self._groups.keys():
            self._groups[pid] = self._read(pid)

    def forget(self, pids: Iterator[int]) -> None:
        """Look again at these next time: they were not what they seemed."""
        for pid in pids:
            self._groups.pop(pid, None)

    def of_pod(self, pod_uid: str) -> dict[int, PodCgroup]:
        """Return a pod's processes, oldest first as far as IDs tell: the sandbox's, where there is one."""
        return {pid: group for pid, group in sorted(self._groups.items()) if group and group.pod_uid == pod_uid}

    @contextmanager
    def hold(self, pid: int, pod_uid: str) -> Iterator[Held | None]:
        """Hold a process of a pod; None if it is not, or no longer, one."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            yield None
            return
        try:
            group = self._read(pid)
            yield Held(pid, pidfd) if group is not None and group.pod_uid == pod_uid else None
        finally:
            os.close(pidfd)

    def _read(self, pid: int) -> PodCgroup | None:
        with suppress(OSError):
            return parse_cgroup((self._proc / str(pid) / "cgroup").read_text())
        return None
