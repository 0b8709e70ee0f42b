"""What the agent answers about one connection: which container has opened it, and a socket to carry it on with."""

import socket
from contextlib import suppress
from pathlib import Path

from apisnoop.node.messages import Address
from apisnoop_tproxy.containers import container_of_group, container_of_inode, unified_hierarchy
from apisnoop_tproxy.entrance import Entrance
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import in_namespace, open_upstream
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.processes import HOST, PROC


class Connections:
    """Of the pods of a node. Control groups that have a name keep it, so that most questions take one system call."""

    def __init__(self, entrance: Entrance, host: Path = HOST, proc: Path = PROC) -> None:
        self._entrance, self._proc = entrance, proc
        self._unified = unified_hierarchy(host)
        self._names: dict[tuple[str, int], str] = {}

    def forget(self, pod_uid: str) -> None:
        """Forget a pod."""
        self._names = {key: name for key, name in self._names.items() if key[0] != pod_uid}

    def container(self, pod: PodFacts, foothold: Foothold, source: Address, destination: Address) -> str:
        """Return the name of the container that has opened a connection, as the pod sees it; empty if unknown."""
        with suppress(OSError):
            sock = foothold.diagnosis.find(source, destination)
            if sock is None:
                return ""
            known = self._names.get((pod.uid, sock.cgroup)) or self._by_group(pod, foothold, sock.cgroup)
            if known:
                self._names[pod.uid, sock.cgroup] = known
                return known
            return container_of_inode(sock.inode, self._entrance.containers(pod.uid), pod.uid, pod.containers)
        return ""

    def _by_group(self, pod: PodFacts, foothold: Foothold, group: int) -> str:
        path = foothold.group.pod_path
        if self._unified is None or group <= 1 or not path:
            return ""
        return container_of_group(group, path, pod.uid, pod.containers, self._unified, self._proc)


def open_way_out(foothold: Foothold, destination: Address) -> socket.socket:
    """Open a socket in the pod's network namespace that the rule leaves alone. Raises OSError."""
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    return in_namespace(foothold.namespace, lambda: open_upstream(family))
