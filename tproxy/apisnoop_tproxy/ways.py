"""The agent's ways to pods: it enters them, or leads them from afar, as the mode says. Both are asked the same."""

import socket
from pathlib import Path

from apisnoop.node.messages import Address
from apisnoop_tproxy.afar import Afar, FarPresence
from apisnoop_tproxy.connections import Connections, open_way_out
from apisnoop_tproxy.entrance import Entrance
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.presence import Presence
from apisnoop_tproxy.processes import HOST, PROC
from apisnoop_tproxy.settings import Interception, Settings
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.trust import Trust

type AnyPresence = Presence | FarPresence
"""What the agent has in one pod, or for it."""
type Ways = Inside | Afar


def choose_ways(settings: Settings, succession: Succession, host: Path = HOST, proc: Path = PROC) -> Ways:
    """Choose the way that the mode says."""
    if settings.interception is Interception.INIT:
        return Afar(settings.certificate)
    return Inside(settings, succession, host, proc)


class Inside:
    """Mode `agent`: into each pod's network namespace."""

    def __init__(self, settings: Settings, succession: Succession, host: Path = HOST, proc: Path = PROC) -> None:
        """`host` is the node's first process, `proc` where processes are seen."""
        self._succession = succession
        self._entrance = Entrance(settings, host, proc)
        self._connections = Connections(self._entrance, host, proc)

    def judge(self, pod: PodFacts) -> PodFacts:
        """See whether a pod can be led; what is not known before it is entered is found out there."""
        return pod

    async def enter(self, pod: PodFacts) -> Presence:
        """Take up with a pod. Raises NotThereError, OSError."""
        return Presence(await self._entrance.enter(pod), self._succession)

    async def stay(self, pod: PodFacts, presence: AnyPresence) -> bool:
        """Hold on to another process of a pod, the one that showed the way having ended; False: there is none."""
        assert isinstance(presence, Presence)
        return await self._entrance.stay(pod, presence.foothold)

    async def trust(self, pod: PodFacts, presence: AnyPresence) -> Trust:
        """Find out whether a pod would accept our certificate."""
        assert isinstance(presence, Presence)
        return await self._entrance.trust(pod, presence.foothold.pid)

    async def container(self, pod: PodFacts, presence: AnyPresence, source: Address, destination: Address) -> str:
        """Return the name of the container that has opened a connection; empty if unknown."""
        assert isinstance(presence, Presence)
        return await self._connections.container(pod, presence.foothold, source, destination)

    def way_out(self, presence: AnyPresence, destination: Address) -> socket.socket:
        """Open a socket in the pod's network namespace that the rule leaves alone. Raises OSError."""
        assert isinstance(presence, Presence)
        return open_way_out(presence.foothold, destination)

    def forget(self, pod_uid: str) -> None:
        """Forget a pod."""
        self._connections.forget(pod_uid)
        self._entrance.forget(pod_uid)
