"""What the agent has in one pod's network namespace, and how it gets there.

Everything here keeps the namespace alive as long as it is open, so it is one thing that is closed as a whole, as soon
as the pod's processes have ended.
"""

import os
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop_tproxy.addresses import local_addresses
from apisnoop_tproxy.cgroup_path import PodCgroup
from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.netfilter import Netfilter
from apisnoop_tproxy.netlink import Netlink
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER
from apisnoop_tproxy.processes import HOST, PROC, Held, PodProcesses


class NotThereError(Exception):
    """The pod cannot be entered (yet); the message says why."""


class Foothold:
    """Descriptors in a pod's network namespace."""

    def __init__(
        self, namespace: int, pidfd: int, group: PodCgroup, pid: int, netfilter: Netfilter, diagnosis: SocketDiagnosis
    ) -> None:
        """Take over all of these, which are closed with it."""
        self.namespace = namespace
        self.pidfd = pidfd
        """Readable when the process by which the namespace was found has ended."""
        self.pid = pid
        self.group = group
        self.inode = os.fstat(namespace).st_ino
        self.netfilter, self.diagnosis = netfilter, diagnosis

    def follow(self, pidfd: int, pid: int) -> None:
        """Take over the pidfd of another process in place of the one that has ended."""
        os.close(self.pidfd)
        self.pidfd, self.pid = pidfd, pid

    def close(self) -> None:
        """Let go of the namespace."""
        self.netfilter.close()
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
            try:
                return _hold(namespace, held, group, addresses, node)
            except NotThereError as error:
                reason = str(error)
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


def _hold(namespace: int, held: Held, group: PodCgroup, addresses: Collection[str], node: int) -> Foothold:
    """Take over a namespace if it is the pod's. Raises NotThereError or OSError; then it is closed."""
    with ExitStack() as opened:
        opened.callback(os.close, namespace)
        if not held.alive:
            raise NotThereError("its process has ended")
        if os.fstat(namespace).st_ino == node:
            raise NotThereError("it uses the node's network")
        if not addresses:
            raise NotThereError("it has no address yet")
        pidfd = os.dup(held.pidfd)
        opened.callback(os.close, pidfd)
        netlink, diagnosis = in_namespace(namespace, lambda: _open(addresses))
        found = Foothold(namespace, pidfd, group, held.pid, Netfilter(namespace, netlink), diagnosis)
        opened.pop_all()
        return found


def _open(addresses: Collection[str]) -> tuple[Netlink, SocketDiagnosis]:
    """See whether this is where the pod's addresses are, and open what we need there; in one go, for to enter costs."""
    if local_addresses().isdisjoint(addresses):
        raise NotThereError(f"no network namespace of it has its address {', '.join(sorted(addresses))}")
    netlink = Netlink(NETLINK_NETFILTER)
    try:
        return netlink, SocketDiagnosis()
    except OSError:
        netlink.close()
        raise


def _inode(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_ino
    return 0
