"""When a rule of ours is in place in a pod, or gone: as the kernel says it, which nobody has to ask again and again."""

import os
import re
import select
import socket
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from time import monotonic

from apisnoop_tproxy.namespace import in_namespace

NEW, GONE, LIVE = (10 << 8) | 0, (10 << 8) | 2, (10 << 8) | 12
"""NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWSETELEM: it acts from now on; in linux/netfilter/nf_tables.h."""
_NETLINK_NETFILTER, _NFTABLES_GROUP = 12, 7
_SOL_NETLINK, _NO_ENOBUFS = 270, 5
_HEADER = struct.Struct("=LHHLL")
_POD = re.compile(r"/pod(?P<uid>[0-9a-f-]{36})")
_PATIENCE = 60.0


class RuleWatch:
    """The notices of one network namespace, in which no rules are made but ours."""

    def __init__(self, pid: int) -> None:
        """`pid` is any process in it."""
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._notices = in_namespace(namespace, _open)
        finally:
            os.close(namespace)

    def fileno(self) -> int:
        """Readable when there are notices."""
        return self._notices.fileno()

    def forget(self) -> None:
        """Read what there is: leases that were renewed meanwhile."""
        for _ in self.kinds():
            pass

    def kinds(self) -> Iterator[int]:
        """Give the kinds of the notices that are there."""
        while True:
            try:
                data = self._notices.recv(1 << 18)
            except BlockingIOError:
                return
            while data:
                length, kind, *_ = _HEADER.unpack_from(data)
                yield kind
                data = data[(length + 3) & ~3 :]

    def wait(self, kind: int) -> None:
        """Wait for a notice of a kind. Raises TimeoutError after a minute."""
        wait_for_all([self], kind)


def wait_for_all(watches: Collection[RuleWatch], kind: int) -> list[float]:
    """Wait until each has had a notice of a kind; return when, as `monotonic`. Raises TimeoutError after a minute."""
    left, moments = set(watches), []
    while left:
        ready = select.select(list(left), [], [], _PATIENCE)[0]
        if not ready:
            raise TimeoutError(f"waited {_PATIENCE:g} s for the rules of {len(left)} pods")
        now = monotonic()
        changed = {one for one in ready if kind in set(one.kinds())}
        moments += [now] * len(changed)
        left -= changed
    return moments


def first_processes(uids: Collection[str]) -> dict[str, int]:
    """Find a process of each pod, by its control group. Raises LookupError naming a pod that has none."""
    found: dict[str, int] = {}
    for file in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            match = _POD.search(file.read_text())
        except OSError:  # it has ended
            continue
        if match:
            found[match["uid"]] = int(file.parent.name)
    for uid in uids:
        if uid not in found:
            raise LookupError(f"pod {uid} has no process on this machine")
    return found


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
    sock.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
    sock.bind((0, 1 << (_NFTABLES_GROUP - 1)))
    return sock
