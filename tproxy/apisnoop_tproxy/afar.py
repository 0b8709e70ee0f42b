"""Pods that the agent does not enter (mode `init`): it leads them by datagrams, and knows what the cluster tells.

In a pod, `redirection` has left a table that heeds these datagrams. Nothing comes back: whether the table is there says
the init container, by what it left as its last words.
"""

import asyncio
import socket
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from apisnoop.node.messages import Address
from apisnoop_tproxy.foothold import NotThereError
from apisnoop_tproxy.namespace import listen
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Cause, Code
from apisnoop_tproxy.redirection import LEAD, LET_GO
from apisnoop_tproxy.rules import Redirect
from apisnoop_tproxy.table import Table
from apisnoop_tproxy.trust import Trust

_ANYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - the proxy lets in one pod only
_OUT_OF_REACH = "its sockets are out of reach in mode init"
_MADE_BEFORE = "it was made without our init container, so only a pod in its place can be recorded (mode init)"
_TRIES = 20
"""Ports to try: the same number has to be free for both protocols."""


class FarPresence:
    """Of one agent for one pod: listeners that are for the pod alone, and the datagrams that lead it there."""

    pidfd = None
    """Nothing tells when its processes have ended but the cluster."""
    busy = False
    """Whether connections go through it is the proxy's to know."""

    def __init__(self, pod: PodFacts) -> None:
        self._payload = uuid.UUID(pod.uid).bytes
        self._addresses = {_family(host): host for host in sorted(pod.addresses)}
        self.sources = tuple(self._addresses.values())
        """Who may connect to its listeners."""
        self._heralds: dict[socket.AddressFamily, socket.socket] = {}
        """What datagrams are sent from, at the listener's port."""

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._heralds.values():
            sock.close()
        self._heralds.clear()

    def open_listeners(self) -> Mapping[socket.AddressFamily, socket.socket]:
        """Open a listening socket of each family that the pod has and we have. Raises OSError if that is none."""
        self.close()
        found: dict[socket.AddressFamily, socket.socket] = {}
        failure = OSError("it has no address")
        for family in self._addresses:
            try:
                found[family], self._heralds[family] = _open_pair(family)
            except OSError as error:
                failure = error
        if not found:
            raise failure
        return found

    async def act(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Lead its connections, unless there are no destinations."""
        self.renew(redirect, destinations)

    def renew(self, _redirect: Redirect, destinations: Collection[Address]) -> None:
        """Lead its connections for another lease, wherever in the API they go; to nobody, if there are no destinations.

        What is lost on the way, or cannot be sent, does no harm: connections are direct when the lease runs out.
        """
        for family, sock in self._heralds.items():
            with suppress(OSError):
                sock.sendto(self._payload, (self._addresses[family], LEAD if destinations else LET_GO))

    async def remove(self, _generation: str = "") -> None:
        """Lead it no more; what its init container has written goes with it, and does nothing until then."""

    async def check(self) -> str:
        """Return what has become of its table in words: nobody can know."""
        return ""

    def is_superseded(self, _table: Table | None) -> bool:
        """Say no: there is no table that could be another agent's."""
        return False

    async def look(self) -> Table | None:
        """Give no table: an earlier agent's leases run out by themselves."""
        return None

    async def flush(self) -> None:
        """Do nothing: there is no table that could be looked at."""

    async def exempt(self, _destinations: Collection[Address], _lease: float) -> None:
        """Do nothing: nobody knows from here who else has rules in the pod."""

    async def forget_ended(self, _destinations: Collection[Address]) -> None:
        """Do nothing: its connection tracking is out of reach."""

    def attend(self) -> str:
        """Do nothing: its init container sees by itself when it is led."""
        return ""

    def ignore(self) -> None:
        """Do nothing."""

    def answer(self, _text: str) -> None:
        """Do nothing."""

    def direct(self, _destinations: Collection[Address]) -> list[object]:
        """Give none of its connections that go past the proxy: they cannot be seen from here."""
        return []

    def break_direct(self, _destinations: Collection[Address]) -> str:
        """Break none of those; return why."""
        return _OUT_OF_REACH

    def break_carried(self) -> str:
        """Break none of those that go through the proxy; return why."""
        return _OUT_OF_REACH


class Afar:
    """The agent's way to pods in mode `init`."""

    def __init__(self, certificate: Path) -> None:
        """`certificate` is the proxy's."""
        self._certificate = certificate

    def judge(self, pod: PodFacts) -> PodFacts:
        """See whether a pod can be led: only its own init container can have prepared it."""
        if pod.unfit is not None or pod.prepared == "":
            return pod
        return msgspec.structs.replace(pod, unfit=Cause(Code.NOT_PREPARED, pod.prepared or _MADE_BEFORE))

    async def enter(self, pod: PodFacts) -> FarPresence:
        """Take up with a pod. Raises NotThereError."""
        if not pod.addresses:
            raise NotThereError("it has no address yet")
        return FarPresence(pod)

    async def stay(self, _pod: PodFacts, _presence: object) -> bool:
        """Hold on to it as long as the cluster knows it."""
        return True

    async def trust(self, _pod: PodFacts, _presence: object) -> Trust:
        """Say whether there is a certificate: pods that would not accept it are not prepared by the webhook."""
        with suppress(OSError):
            if await asyncio.to_thread(self._certificate.read_bytes):
                return Trust(True)
        return Trust(False, "there is no certificate of ours yet")

    async def container(self, pod: PodFacts, _presence: object, _source: Address, _destination: Address) -> str:
        """Return the container that a connection is of, if the pod has only one; empty: nobody can know."""
        return pod.only_container

    def way_out(self, _presence: object, _destination: Address) -> socket.socket:
        """Refuse: the proxy connects to the API server from its own network. Raises OSError."""
        raise OSError("connections of this pod are not made in its network namespace")

    def forget(self, _pod_uid: str) -> None:
        """Forget a pod, of which nothing is remembered."""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _open_pair(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    """Listen, and open a socket for datagrams at a port of the same number. Raises OSError."""
    for left in reversed(range(_TRIES)):
        listening = listen(_ANYWHERE[family], 0)
        herald = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            herald.bind((_ANYWHERE[family], listening.getsockname()[1]))
        except OSError:
            listening.close()
            herald.close()
            if not left:
                raise
        else:
            return listening, herald
    raise AssertionError("there are tries")
