"""What the agent answers about one connection: which container has opened it, and a socket to carry it on with."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

from apisnoop.node.messages import Address
from apisnoop_tproxy.containers import container_of_group, container_of_inode
from apisnoop_tproxy.diag import Sock
from apisnoop_tproxy.entrance import Entrance
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.hierarchy import unified_hierarchy
from apisnoop_tproxy.namespace import in_namespace, open_upstream
from apisnoop_tproxy.outstanding import Outstanding
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.processes import HOST, PROC

_LOOK_SECONDS = 1.2
"""For how long to look; the proxy waits for 1.5 s."""
_MOST_LOOKS = 8
"""Pods that are looked into at the same time."""
_MOST_GROUPS = 64
"""Control groups of a pod of which the name is remembered: as many as it has containers, and some that have ended."""


class Connections:
    """Of the pods of a node. Control groups that have a name keep it, so that most questions take one system call.

    The others take a look into the pod, in a thread; one at a time for each pod, so that none can keep others waiting.
    """

    def __init__(self, entrance: Entrance, host: Path = HOST, proc: Path = PROC) -> None:
        self._entrance, self._proc = entrance, proc
        self._unified = unified_hierarchy(host)
        self._names: dict[str, dict[int, str]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._looking: Outstanding[tuple[str, str]] = Outstanding(_MOST_LOOKS, "container")

    def forget(self, pod_uid: str) -> None:
        """Forget a pod."""
        self._names.pop(pod_uid, None)
        self._turns.pop(pod_uid, None)

    async def container(self, pod: PodFacts, foothold: Foothold, source: Address, destination: Address) -> str:
        """Return the name of the container that has opened a connection, as the pod sees it; empty if unknown."""
        with suppress(OSError):
            sock = foothold.diagnosis.find(source, destination)
            if sock is None:
                return ""
            return self._known(pod, sock) or await self._find(pod, foothold, sock)
        return ""

    def _known(self, pod: PodFacts, sock: Sock) -> str:
        return self._names.get(pod.uid, {}).get(sock.cgroup, "")

    async def _find(self, pod: PodFacts, foothold: Foothold, sock: Sock) -> str:
        turn = self._turns.setdefault(pod.uid, asyncio.Lock())
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS), turn:
                known = self._known(pod, sock)  # another connection's question may have been the same
                if known:
                    return known
                found = await self._looking.ask(pod.uid, lambda: self._look(pod, foothold, sock), _LOOK_SECONDS)
                if found is None:
                    return ""
                of_group, of_holder = found
                if of_group:
                    self._remember(pod, sock.cgroup, of_group)
                return of_group or of_holder
        return ""

    def _remember(self, pod: PodFacts, group: int, name: str) -> None:
        names = self._names.setdefault(pod.uid, {})
        names[group] = name
        if len(names) > _MOST_GROUPS:
            del names[next(iter(names))]

    def _look(self, pod: PodFacts, foothold: Foothold, sock: Sock) -> tuple[str, str]:
        """Look who has opened a socket, by its control group, or else who holds it now; in a thread."""
        name = self._of_group(pod, foothold, sock.cgroup)
        if name or not sock.inode:
            return name, ""
        return "", container_of_inode(
            sock.inode, self._entrance.containers(pod.uid), pod.uid, pod.containers, self._proc
        )

    def _of_group(self, pod: PodFacts, foothold: Foothold, group: int) -> str:
        path = foothold.group.pod_path
        folder = self._unified.folder_of(path) if self._unified is not None and group > 1 and path else None
        return container_of_group(group, folder, pod.uid, pod.containers, self._proc) if folder is not None else ""


def open_way_out(foothold: Foothold, destination: Address) -> socket.socket:
    """Open a socket in the pod's network namespace that the rule leaves alone. Raises OSError."""
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    return in_namespace(foothold.namespace, lambda: open_upstream(family))
