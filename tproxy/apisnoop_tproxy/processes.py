"""The processes of pods, found by their control groups, and the network namespace that a pod's processes share.

A process ID names another process as soon as the first has ended. So each is held by a pidfd (pidfd_open(2)) before
anything is believed of it, and what was read counts only if it is still alive afterwards.
"""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_tproxy.cgroup_path import PodCgroup, parse_cgroup

PROC = Path("/proc")
HOST = PROC / "1"
"""The node's first process, which the agent sees (hostPID): the way to the node's namespaces and files."""
_LARGEST = 1 << 14
_YOUNG_SECONDS = 10.0
"""For how long a process may still be on its way: a container's is made outside and moved into its control group."""


class Held(msgspec.Struct, frozen=True):
    """A process that cannot be confused with another as long as its pidfd is open."""

    pid: int
    pidfd: int

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not select.select([self.pidfd], [], [], 0)[0]


class _Seen(msgspec.Struct, frozen=True):
    inode: int
    """Of the process's folder: another one means another process of the same ID."""
    since: float
    group: PodCgroup | None


class PodProcesses:
    """An index of the node's processes by pod, for many threads. What it says is a hint, to be checked when used."""

    def __init__(self, proc: Path = PROC, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._seen: dict[int, _Seen] = {}
        """Every process, by ID."""
        self._of_pods: dict[str, set[int]] = {}
        """The IDs of each pod's."""
        self._looked = float("-inf")
        self._lock = threading.Lock()

    def refresh(self, since: float | None = None) -> None:
        """Look at processes that have come, and forget those that have gone.

        `since`: unless that was done at this moment of the clock or later, for somebody else.
        """
        with self._lock:
            if since is None or self._looked < since:
                self._looked = self._clock()
                self._refresh(self._looked)

    def _refresh(self, now: float) -> None:
        with os.scandir(self._proc) as entries:
            present = {int(entry.name): entry.inode() for entry in entries if entry.name.isdecimal()}
        for pid in self._seen.keys() - present.keys():
            self._drop(pid)
        for pid, inode in present.items():
            seen = self._seen.get(pid)
            if seen is None or seen.inode != inode:
                self._put(pid, _Seen(inode, now, self._read(pid)))
            elif seen.group is None and seen.since > now - _YOUNG_SECONDS:
                self._put(pid, _Seen(inode, seen.since, self._read(pid)))

    def _put(self, pid: int, seen: _Seen) -> None:
        self._drop(pid)
        self._seen[pid] = seen
        if seen.group is not None:
            self._of_pods.setdefault(seen.group.pod_uid, set()).add(pid)

    def _drop(self, pid: int) -> None:
        seen = self._seen.pop(pid, None)
        if seen is not None and seen.group is not None:
            pids = self._of_pods[seen.group.pod_uid]
            pids.discard(pid)
            if not pids:
                del self._of_pods[seen.group.pod_uid]

    def forget(self, pid: int) -> None:
        """Look again at this one next time: it was not what it seemed."""
        with self._lock:
            self._drop(pid)

    def of_pod(self, pod_uid: str) -> dict[int, PodCgroup]:
        """Return a pod's processes, those of the longest known first: the sandbox's, where there is one."""
        # Without the lock, which a look at the whole node holds for long: `list` copies a set in one piece, and one of
        # its processes may have become another pod's since.
        known = [(pid, self._seen.get(pid)) for pid in list(self._of_pods.get(pod_uid, ()))]
        found = [(seen.since, pid, seen.group) for pid, seen in known if seen is not None and seen.group is not None]
        return {pid: group for _, pid, group in sorted(found, key=lambda one: one[:2]) if group.pod_uid == pod_uid}

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
        # There may be thousands, and pathlib would take three times as long.
        with suppress(OSError), open(f"{self._proc}/{pid}/cgroup", "rb", buffering=0) as file:  # noqa: PTH123
            found = file.read(_LARGEST)
            return parse_cgroup(found.decode()) if b"pod" in found else None
        return None


def require_node() -> None:
    """Raise ApisnoopError unless the node's own namespaces and files can be seen."""
    try:
        (HOST / "ns/net").stat()
        (HOST / "root").stat()
    except OSError as error:
        raise ApisnoopError(
            f"cannot look at the node's first process: {cause_of(error)}; the agent needs hostPID and SYS_PTRACE"
        ) from None
