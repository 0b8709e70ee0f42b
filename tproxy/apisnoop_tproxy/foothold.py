"""What the agent has in one pod's network namespace, and how it gets there.

Everything here keeps the namespace alive as long as it is open, so it is one thing that is closed as a whole, as soon
as the pod's processes have ended.
"""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop_tproxy.addresses import local_addresses
from apisnoop_tproxy.cgroup_path import PodCgroup
from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.nft import Leases
from apisnoop_tproxy.processes import HOST, PROC, PodProcesses


class NotThereError(Exception):
    """The pod cannot be entered (yet); the message says why."""


class Foothold:
    """Descriptors in a pod's network namespace."""

    def __init__(self, namespace: int, pidfd: int, group: PodCgroup, pid: int) -> None:
        """Take over `namespace` and `pidfd`, which are closed with it, and open the rest. Raises OSError."""
        self.namespace = namespace
        self.pidfd = pidfd
        """Readable when the process by which the namespace was found has ended."""
        self.pid = pid
        self.group = group
        self.inode = os.fstat(namespace).st_ino
        self.leases, self.diagnosis = in_namespace(namespace, _open)

    def follow(self, pidfd: int, pid: int) -> None:
        """Take over the pidfd of another process in place of the one that has ended."""
        os.close(self.pidfd)
        self.pidfd, self.pid = pidfd, pid

    def close(self) -> None:
        """Let go of the namespace."""
        self.leases.close()
        self.diagnosis.close()
        os.close(self.namespace)
        os.close(self.pidfd)


def find_foothold(
    processes: PodProcesses, pod_uid: str, addresses: Collection[str], proc: Path = PROC, host: Path = HOST
) -> Foothold:
    """Enter the network namespace of a pod. Raises NotThereError, which says what is missing, or OSError.

    A namespace is the pod's if one of the pod's processes lives in it and it holds one of the pod's addresses: a
    process may be in another one for a moment.
    """
    node = _inode(host / "ns/net")
    reason = "it has no process yet"
    for pid, group in processes.of_pod(pod_uid).items():
        with processes.hold(pid, pod_uid) as held:
            if held is None:
                processes.forget(pid)
                continue
            try:
                namespace = os.open(proc / str(pid) / "ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                reason = f"its process {pid} cannot be entered: {cause_of(error)}"
                continue
            if not held.alive:
                os.close(namespace)
                continue
            why = _refuse(namespace, node, addresses)
            if why:
                os.close(namespace)
                reason = why
                continue
            return _hold(namespace, os.dup(held.pidfd), group, pid)
    raise NotThereError(reason)


def find_sibling(processes: PodProcesses, pod_uid: str, foothold: Foothold, proc: Path = PROC) -> bool:
    """Make a foothold follow another process of the pod in the same network namespace; False if there is none.

    The namespace that the foothold holds cannot be another one with the same number.
    """
    for pid in processes.of_pod(pod_uid):
        with processes.hold(pid, pod_uid) as held:
            if held is not None and _inode(proc / str(pid) / "ns/net") == foothold.inode and held.alive:
                foothold.follow(os.dup(held.pidfd), pid)
                return True
    return False


def _hold(namespace: int, pidfd: int, group: PodCgroup, pid: int) -> Foothold:
    try:
        return Foothold(namespace, pidfd, group, pid)
    except BaseException:
        os.close(namespace)
        os.close(pidfd)
        raise


def _refuse(namespace: int, node: int, addresses: Collection[str]) -> str:
    if os.fstat(namespace).st_ino == node:
        return "it uses the node's network"
    if not addresses:
        return "it has no address yet"
    if in_namespace(namespace, local_addresses).isdisjoint(addresses):
        return f"no network namespace of it has its address {', '.join(sorted(addresses))}"
    return ""


def _open() -> tuple[Leases, SocketDiagnosis]:
    leases = Leases()
    try:
        return leases, SocketDiagnosis()
    except OSError:
        leases.close()
        raise


def _inode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_ino
    return 0
