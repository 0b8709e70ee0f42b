"""Network namespaces with a process each, in control groups like pods', for `benchmarks.agent`; as root."""

import os
import select
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from apisnoop_tproxy.hierarchy import unified_hierarchy
from apisnoop_tproxy.namespace import in_namespace

_NETLINK_NETFILTER, _NFTABLES_GROUP = 12, 7
_READY = b"."
_INSIDE = "ip link set lo up; ip addr add {address}/32 dev lo; printf .; exec sleep infinity"


@dataclass(frozen=True, slots=True)
class FakePod:
    """One of them."""

    uid: str
    address: str
    process: subprocess.Popen[bytes]
    changes: socket.socket
    """Becomes readable when a rule of its namespace changes (nf_tables' own notices)."""

    def forget_changes(self) -> None:
        """Read what there is."""
        with suppress(BlockingIOError):
            while self.changes.recv(1 << 16):
                pass


@contextmanager
def pods(number: int, kubelet: Path, authority: str) -> Iterator[list[FakePod]]:
    """Start pods that trust `authority`; `kubelet` stands for the kubelet's folder."""
    hierarchy = unified_hierarchy(Path("/proc/self"))
    assert hierarchy is not None, "no unified hierarchy of control groups is mounted"
    top = hierarchy.folder / f"apisnoop-bench-{os.getpid()}"
    made: list[FakePod] = []
    try:
        addresses = (f"10.201.{index // 250}.{index % 250 + 1}" for index in range(number))
        made.extend(_start(top, address, kubelet, authority) for address in addresses)
        yield made
    finally:
        for pod in made:
            pod.process.kill()
            pod.process.wait()
            pod.changes.close()
        for folder, _, _ in os.walk(top, topdown=False):
            os.rmdir(folder)  # noqa: PTH106 - control groups cannot be removed as trees
        shutil.rmtree(kubelet, ignore_errors=True)


def _start(top: Path, address: str, kubelet: Path, authority: str) -> FakePod:
    uid = str(uuid.uuid4())
    group = top / f"pod{uid}" / (uuid.uuid4().hex * 2)
    volume = kubelet / "pods" / uid / "volumes/kubernetes.io~projected/kube-api-access-abcde"
    for folder in (group, volume):
        folder.mkdir(parents=True)
    (volume / "ca.crt").write_text(authority)
    command = ["unshare", "--net", "sh", "-c", _INSIDE.format(address=address)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: _join(group),  # noqa: PLW1509 - system calls only
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == _READY
    process.stdout.close()
    namespace = os.open(f"/proc/{process.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return FakePod(uid, address, process, in_namespace(namespace, _listen_for_changes))
    finally:
        os.close(namespace)


def _join(group: Path) -> None:
    (group / "cgroup.procs").write_text("0")


def _listen_for_changes() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
    sock.bind((0, 1 << (_NFTABLES_GROUP - 1)))
    return sock


def wait_for_changes(waiting: list[FakePod], seconds: float) -> list[FakePod]:
    """Wait until a rule of some of these changes, and return those of which one has; none after `seconds`."""
    found = set(select.select([pod.changes for pod in waiting], [], [], seconds)[0])
    return [pod for pod in waiting if pod.changes in found]
