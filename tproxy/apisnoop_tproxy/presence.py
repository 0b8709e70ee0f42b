"""What is ours in one pod's network namespace: the table, its leases, and the connections that go through it.

It carries out and looks; when to do what is `pod_control`'s. What the kernel may need long for, such as a table that
somebody has filled, runs in a thread; the rest answers at once.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Mapping
from functools import partial

from apisnoop.causes import cause_of
from apisnoop.node.messages import Address
from apisnoop_tproxy.conntrack import forget_ended
from apisnoop_tproxy.diag import Sock
from apisnoop_tproxy.exemption import Exemption
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import MARK, in_namespace, listen, open_listeners
from apisnoop_tproxy.netfilter import Netfilter
from apisnoop_tproxy.nft import RuleError
from apisnoop_tproxy.probe import Probe
from apisnoop_tproxy.rules import Redirect, encode_leases
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.table import Table
from apisnoop_tproxy.wait import HOST, PORT

logger = logging.getLogger(__name__)

_NO_LEASE = 1.0
"""Seconds of a table's leases that nobody gives it."""


class SupersededError(Exception):
    """A newer agent's table is in place and acts."""


class Presence:
    """Of one agent in one pod."""

    sources: tuple[str, ...] = ()
    """Who may connect to its listeners: whoever can, for only the pod itself can."""

    def __init__(self, foothold: Foothold, succession: Succession) -> None:
        """Take over a foothold, which is closed with it."""
        self.foothold = foothold
        self._succession = succession
        self.ports: set[int] = set()
        """On which connections through a table of ours, or of an earlier agent, may still be open."""
        self._fingerprint = ""
        self._exemption = Exemption(foothold)
        self._probe: Probe | None = None

    @property
    def pidfd(self) -> int:
        """Readable when the process by which the namespace was found has ended."""
        return self.foothold.pidfd

    def close(self) -> None:
        """Let go of the namespace."""
        self.ignore()
        self._exemption.close()
        self.foothold.close()

    def attend(self) -> str:
        """Be there for the init container's question; return why we cannot be, empty if we are."""
        if self._probe is None:
            try:
                self._probe = Probe(in_namespace(self.foothold.namespace, lambda: listen(HOST, PORT)))
            except OSError as error:
                return cause_of(error)
        return ""

    def ignore(self) -> None:
        """Be there for it no more."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None

    def answer(self, text: str) -> None:
        """Answer it; empty: it has to wait."""
        if self._probe is not None:
            self._probe.answer(text)

    def open_listeners(self) -> Mapping[socket.AddressFamily, socket.socket]:
        """Open listening sockets on free loopback ports. Raises OSError."""
        found = in_namespace(self.foothold.namespace, open_listeners)
        self.ports |= {sock.getsockname()[1] for sock in found.values()}
        return found

    async def act(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Put our table in place of what is there. Raises RuleError or SupersededError; then nothing has changed."""
        self._exemption.ended()
        put = partial(_put, self.foothold.netfilter, redirect, destinations, self._succession)
        before, after = await asyncio.to_thread(put)
        self._heed(before)
        self._fingerprint = after.fingerprint

    async def check(self) -> str:
        """Return what has become of our table, in words; empty if nothing has. Raises RuleError, SupersededError."""
        found = await self.look()
        if found is None:
            return "its rule was removed by somebody else"
        if self.is_superseded(found):
            raise SupersededError
        return "" if found.fingerprint == self._fingerprint else "its rule was changed by somebody else"

    def is_superseded(self, table: Table | None) -> bool:
        """Tell whether a table is that of an agent that came after us, and acts."""
        return table is not None and table.live and self._succession.yields(table.generation)

    async def look(self) -> Table | None:
        """Look at the table that is there, whoever has made it; its connections are to be heeded. Raises RuleError."""
        found = await asyncio.to_thread(self.foothold.netfilter.find)
        self._heed(found)
        return found

    def renew(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Make the rule act for another lease on exactly these. Raises RuleError if our table is not there any more."""
        leases = encode_leases(redirect, destinations)
        exemption = self._exemption.renew(destinations) if destinations else []
        if exemption:
            try:
                self.foothold.netfilter.apply([*exemption, *leases])
            except RuleError:  # one of both tables is not there any more
                self._exemption.ended()
            else:
                return
        self.foothold.netfilter.apply(leases)

    async def flush(self) -> None:
        """Have the table that is there lead nothing any more, whoever renews it; what is open goes on.

        Raises RuleError.
        """
        self._exemption.ended()
        await asyncio.to_thread(_still, self.foothold.netfilter, self._succession.generation)

    async def exempt(self, destinations: Collection[Address], lease: float) -> None:
        """Have the pod's other traffic not tracked from the next renewal on, as long as nobody else has rules there."""
        if not self._exemption.acts:
            await asyncio.to_thread(self._exemption.begin, self._exemption.to_know(destinations), lease)

    async def forget_ended(self, destinations: Collection[Address]) -> None:
        """Have connections to these that have ended decide nothing about the next from the same port.

        A kernel may lack ctnetlink, or the list be too long: then the next connection from such a port goes astray.
        """
        ports = frozenset(self.ports)
        try:
            if self.foothold.netfilter.tracks():
                work = partial(forget_ended, destinations, ports)
                await asyncio.to_thread(in_namespace, self.foothold.namespace, work)
        except OSError as error:
            logger.debug("connections that have ended are not forgotten: %s", cause_of(error))

    async def remove(self, generation: str = "") -> None:
        """Delete the table, if there is one; with a generation, only that. Raises RuleError."""
        self._exemption.ended()
        await asyncio.to_thread(_remove, self.foothold.netfilter, generation)

    @property
    def busy(self) -> bool:
        """Whether any connection goes through a table of ours."""
        return bool(self._carried())

    def break_carried(self) -> str:
        """Reset all that go through the proxy; return why some are left, empty if none is."""
        return self._break(self._carried)

    def direct(self, destinations: Collection[Address]) -> list[Sock]:
        """List API connections that go past the proxy, being older than the rule, or opened while it did not act."""
        found, api = self.foothold.diagnosis.connections(), set(destinations)
        carried = {sock.remote for sock in found if sock.local[1] in self.ports}
        return [sock for sock in found if sock.remote in api and sock.mark != MARK and sock.local not in carried]

    def break_direct(self, destinations: Collection[Address]) -> str:
        """Reset those, so that their clients connect anew; return why some are left, empty if none is."""
        return self._break(lambda: self.direct(destinations))

    def _carried(self) -> list[Sock]:
        return [sock for sock in self.foothold.diagnosis.connections() if sock.local[1] in self.ports]

    def _heed(self, table: Table | None) -> None:
        self.ports |= set(table.ports) if table else set()

    def _break(self, find: Callable[[], Collection[Sock]]) -> str:
        """A kernel may lack INET_DIAG_DESTROY, or memory: that ends neither us nor what others have to do for pods."""
        try:
            found = find()
        except OSError as error:
            return f"they cannot be listed: {cause_of(error)}"
        causes = [cause for sock in found if (cause := self._destroy(sock))]
        return f"{len(causes)} of {len(found)} cannot be broken: {causes[0]}" if causes else ""

    def _destroy(self, sock: Sock) -> str:
        """Break one; return why not, empty if it is broken."""
        try:
            self.foothold.diagnosis.destroy(sock)
        except OSError as error:
            return cause_of(error)
        return ""


def _put(
    netfilter: Netfilter, redirect: Redirect, destinations: Collection[Address], succession: Succession
) -> tuple[Table | None, Table]:
    """Apply a table; return what was there before, and ours as the kernel shows it."""
    before = netfilter.find()
    if before is not None and before.live and succession.yields(before.generation):
        raise SupersededError
    netfilter.put(redirect, destinations)
    found = netfilter.find(ours=True)
    if found is None:
        raise RuleError("the kernel took the rule, but it is not there")
    return before, found


def _still(netfilter: Netfilter, generation: str) -> None:
    """Put a table without leases, but with the same redirects, in place of what is there.

    Without the last of these, the kernel stops translating: open connections would hang.
    """
    found = netfilter.find()
    if found is not None:
        ports = dict(zip((socket.AF_INET, socket.AF_INET6), found.ports, strict=False))
        netfilter.put(Redirect(generation, ports, _NO_LEASE), ())


def _remove(netfilter: Netfilter, generation: str) -> None:
    if generation:
        found = netfilter.find()
        if found is None or found.generation != generation:
            return
    netfilter.remove()
