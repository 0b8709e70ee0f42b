"""One pod of the node: brings what is there to what is wanted, whatever happened in between.

Level-triggered: `converge` looks at the pod as it is and takes the next steps. Order is what keeps connections whole:
listener before rule, rule emptied before the listener goes, table deleted last, when no connection of it is left.
"""

import asyncio
import logging
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.messages import Address, Enrol, Message, Retire
from apisnoop.node.wanted import Wanted
from apisnoop_tproxy.diag import Sock
from apisnoop_tproxy.foothold import Foothold, NotThereError
from apisnoop_tproxy.namespace import MARK, in_namespace, open_listeners
from apisnoop_tproxy.nft import RuleError, apply_rules, find_table, remove_table
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.rules import Redirect, encode_leases, render_flush, render_table
from apisnoop_tproxy.trust import Trust

logger = logging.getLogger(__name__)

SOON, LATER = 0.1, 30.0
"""Seconds after which to look again: something is about to come; something may have changed unseen."""
ABANDONED = 5
"""Handshakes that clients of a pod may leave before its certificate is taken to be the reason."""
BLOCKED_SECONDS = 600.0
"""For how long a pod that took too much is left alone."""


class State(msgspec.Struct, frozen=True):
    """What is so, for people and programs."""

    name: str
    """off, waiting, skipped, intercepting, shed, draining."""
    why: str = ""
    since: float = 0.0


class Desk(Protocol):
    """What pods need of the agent around them."""

    generation: str
    lease: float
    node: str

    @property
    def destinations(self) -> tuple[Address, ...]:
        """Where the API is."""

    @property
    def served(self) -> bool:
        """Whether there is a proxy at all."""

    @property
    def well(self) -> bool:
        """Whether connections may be led to it now."""

    def say(self, message: Message, sockets: tuple[socket.socket, ...] = ()) -> None:
        """Tell the proxy."""

    def number(self, pod: "PodControl") -> int:
        """Give a new enrolment's number; what the proxy says of it goes to the pod."""

    async def enter(self, pod: PodFacts) -> Foothold:
        """Enter a pod's network namespace. Raises NotThereError, OSError, RuleError."""

    async def trust(self, pod: PodFacts, pid: int) -> Trust:
        """Find out whether it would accept our certificate."""

    def tell(self, pod: PodFacts, state: State) -> None:
        """Let people know of a new state."""


@dataclass(slots=True, eq=False)
class Enrolment:
    """What leads to the proxy."""

    number: int
    redirect: Redirect
    accepted: bool = False
    acting: bool = False
    """Its table is in place."""


@dataclass(slots=True, eq=False)
class PodControl:
    """The pod. `touched` is set whenever something may have changed; whoever runs it then calls `converge`."""

    facts: PodFacts
    wanted: Wanted
    workload: str
    desk: Desk
    state: State = field(default_factory=lambda: State("off"))
    touched: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    current: Enrolment | None = None
    draining: set[int] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    """On which connections of ours may still be open."""
    foothold: Foothold | None = None
    examined: bool = False
    """Whether it has been looked for what an earlier agent left."""
    blocked: tuple[float, str] = (0.0, "")
    untouched: set[str] = field(default_factory=set)
    """Containers whose connections cannot be read."""
    unseen: dict[str, int] = field(default_factory=dict)
    older: int = 0
    """API connections that are older than the interception, when it began."""
    connections: int = 0
    fingerprint: str = ""

    # -- what is wanted --------------------------------------------------------------------------------------------

    def refusal(self, now: float) -> str:
        """Say why the pod must not be intercepted; empty if it may and should."""
        if not self.wanted.yes:
            return self.wanted.why
        if self.facts.unfit:
            return self.facts.unfit
        if self.wanted.until is not None and self.wanted.until <= now:
            return "its time is over"
        return self.blocked[1] if now < self.blocked[0] else ""

    async def converge(self) -> float | None:
        """Take the next steps; return the seconds after which to look again, None if nothing is to come by itself."""
        if self.gone or self.facts.ended:
            self.release(POD_ENDED)
            return None
        now = time.time()
        refusal = self.refusal(now)
        try:
            if refusal:
                return await self._off(refusal)
            again = await self._on()
        except NotThereError as error:
            self._become("waiting", str(error))
            return SOON if self.facts.starting or not self.examined else 1.0
        except (OSError, RuleError) as error:
            self.let_go(f"it cannot be intercepted: {error}")
            self._become("skipped", str(error))
            return LATER
        if self.wanted.until is None:
            return again
        left = max(0.0, self.wanted.until - time.time())
        return left if again is None else min(again, left)

    # -- on --------------------------------------------------------------------------------------------------------

    async def _on(self) -> float | None:
        enrolment = self.current
        if enrolment is None:
            return await self._offer()
        if enrolment.acting:
            await self._inspect(enrolment)
            return LATER
        if enrolment.accepted:
            await self._act(enrolment)
            return LATER
        return None

    async def _offer(self) -> float | None:
        """Open listeners in the pod and offer them to the proxy."""
        if not self.desk.served or not self.desk.destinations:
            self._become(
                "waiting", "the node's proxy is not there" if self.desk.destinations else "no API server known"
            )
            return None
        foothold = await self._enter()
        trust = await self.desk.trust(self.facts, foothold.pid)
        if not trust.accepted:
            self._become("skipped", trust.why)
            return LATER
        if self._missing() or self.foothold is not foothold:
            return SOON
        listeners = in_namespace(foothold.namespace, open_listeners)
        ports = {family: sock.getsockname()[1] for family, sock in listeners.items()}
        number = self.desk.number(self)
        self.current = Enrolment(number, Redirect(self.desk.generation, ports, self.desk.lease))
        self.ports |= set(ports.values())
        self.desk.say(Enrol(number, self.caller()), tuple(listeners.values()))
        for sock in listeners.values():
            sock.close()  # the proxy's alone: when it dies, nobody must be left waiting in the queue
        return None

    def _missing(self) -> str:
        """Say what the node lacks; it may change whenever something is awaited."""
        if not self.desk.destinations:
            return "the addresses of the API server are not known yet"
        return "" if self.desk.served else "the node's proxy is not there"

    async def _act(self, enrolment: Enrolment) -> None:
        """Put the rule in place."""
        foothold = await self._enter()
        destinations = self.desk.destinations if self.desk.well else ()
        text = render_table(enrolment.redirect, destinations)
        table = await asyncio.to_thread(in_namespace, foothold.namespace, lambda: _apply(text))
        if self.current is not enrolment:  # it was let go meanwhile
            foothold.leases.apply(encode_leases(enrolment.redirect, ()))
            return
        enrolment.acting = True
        self.fingerprint = table
        older = self._older(foothold)
        self.older = len(older)
        if self.wanted.reset:
            for sock in older:
                foothold.diagnosis.destroy(sock)
            self.older = 0
        self._become("intercepting" if self.desk.well else "shed", self.wanted.why)

    async def _inspect(self, enrolment: Enrolment) -> None:
        """See whether the table is still what we made it."""
        foothold = await self._enter()
        found = await asyncio.to_thread(in_namespace, foothold.namespace, find_table)
        if self.current is enrolment and (found is None or found.fingerprint != self.fingerprint):
            self.let_go("its rule was changed by somebody else")
            self.touched.set()

    def _older(self, foothold: Foothold) -> list[Sock]:
        """List the API connections that the pod opened before, past the proxy."""
        ours = {sock.remote for port in self.ports for sock in foothold.diagnosis.on_port(port)}
        found = foothold.diagnosis.towards(self.desk.destinations)
        return [sock for sock in found if sock.mark != MARK and sock.local not in ours]

    async def _enter(self) -> Foothold:
        if self.foothold is None:
            self.foothold = await self.desk.enter(self.facts)
            self.examined = True
            if self.foothold.found is not None:
                self.ports |= set(self.foothold.found.ports)
            asyncio.get_running_loop().add_reader(self.foothold.pidfd, self._process_ended)
        return self.foothold

    # -- off -------------------------------------------------------------------------------------------------------

    async def _off(self, why: str) -> float | None:
        """Let the pod go; delete the table when the last connection of it has ended."""
        self.let_go("")
        self.examined |= bool(self.facts.unfit)
        if self.foothold is None:
            if self.examined:
                self._become("skipped" if self.wanted.yes else "off", why)
                return None
            try:
                await self._enter()
            except NotThereError:
                self._become("skipped" if self.wanted.yes else "off", why)
                return None if self.facts.addresses else 1.0
        foothold = self.foothold
        assert foothold is not None
        if foothold.found is not None:
            in_namespace(foothold.namespace, lambda: apply_rules(render_flush()))
            foothold.found = None
        if self.draining or any(foothold.diagnosis.on_port(port) for port in self.ports):
            self._become("draining", why)
            return 0.5
        await asyncio.to_thread(in_namespace, foothold.namespace, remove_table)
        self._close_foothold()
        self._become("skipped" if self.wanted.yes else "off", why)
        return None

    def let_go(self, reason: str) -> None:
        """Empty the sets, then retire the enrolment; connections go on."""
        enrolment, self.current = self.current, None
        if enrolment is None:
            return
        self._empty(enrolment)
        self.draining.add(enrolment.number)
        self.desk.say(Retire(enrolment.number, reason=reason))

    def _empty(self, enrolment: Enrolment) -> None:
        if self.foothold is None or not enrolment.acting:
            return
        try:
            self.foothold.leases.apply(encode_leases(enrolment.redirect, ()))
        except RuleError as error:
            logger.info("%s/%s: %s", self.facts.namespace, self.facts.name, error)

    async def finish(self) -> bool:
        """Delete the table if it is ours and no connection of it is left; the agent ends. Return whether it is gone."""
        if self.foothold is None:
            return True
        foothold = self.foothold
        if any(foothold.diagnosis.on_port(port) for port in self.ports):
            return False
        with suppress(OSError, RuleError):
            await asyncio.to_thread(in_namespace, foothold.namespace, self._remove_own_table)
        self._close_foothold()
        return True

    def _remove_own_table(self) -> None:
        found = find_table()
        if found is not None and found.generation == self.desk.generation:
            remove_table()

    def release(self, reason: str) -> None:
        """Let go of everything at once: the pod has ended, and its namespace must not outlive it."""
        if self.current is not None:
            self.draining.add(self.current.number)
            self.current = None
        for number in self.draining:
            self.desk.say(Retire(number, cut=True, reason=reason))
        self.draining.clear()
        self._close_foothold()
        self._become("off", reason)

    def _close_foothold(self) -> None:
        if self.foothold is not None:
            asyncio.get_running_loop().remove_reader(self.foothold.pidfd)
            self.foothold.close()
            self.foothold = None
        self.ports.clear()

    def _process_ended(self) -> None:
        """The process that showed us the way has ended: the pod, or one container of it. Look again."""
        self.release(POD_ENDED)
        self.examined = False
        self.touched.set()

    # -- what the proxy and its health say -------------------------------------------------------------------------

    def accepted(self, number: int) -> None:
        """Hear that the proxy listens."""
        if self.current is not None and self.current.number == number:
            self.current.accepted = True
            self.touched.set()

    def refused(self, number: int, reason: str) -> None:
        """Hear that it does not."""
        if self.current is not None and self.current.number == number:
            self.current = None
            self.blocked = (time.time() + LATER, f"the node's proxy refused it: {reason}")
            self.touched.set()

    def drained(self, number: int) -> None:
        """Hear that no connection of an enrolment is left."""
        self.draining.discard(number)
        self.touched.set()

    def could_not_read(self, container: str, reason: str) -> None:
        """Hear that a connection of a container was closed unread; from now on its connections are passed through.

        A client that only left during its handshake may have been in a hurry; one that does so again and again has not.
        """
        self.unseen[reason] = self.unseen.get(reason, 0) + 1
        if reason != "handshake-abandoned" or self.unseen[reason] >= ABANDONED:
            self.untouched.add(container)

    def over(self, limit: str) -> None:
        """Let a pod go that takes more than its share."""
        why = f"it exceeded its limit of {limit}; it is left alone for {BLOCKED_SECONDS / 60:.0f} minutes"
        self.blocked = (time.time() + BLOCKED_SECONDS, why)
        self.let_go(why)
        self.touched.set()

    def lost_proxy(self) -> None:
        """Empty the sets: nobody listens any more. What is open is the kernel's to tell."""
        enrolment, self.current = self.current, None
        if enrolment is not None:
            self._empty(enrolment)
        self.draining.clear()
        self.touched.set()

    def renew(self) -> bool:
        """Renew the leases; if they are gone, let the pod go, to be taken up again."""
        if self.current is None or not self.current.acting or self.foothold is None:
            return False
        try:
            self.foothold.leases.apply(encode_leases(self.current.redirect, self.desk.destinations))
        except RuleError:
            self.let_go("its rule was removed by somebody else")
            self.touched.set()
            return False
        if self.state.name == "shed":
            self._become("intercepting", self.wanted.why)
        return True

    def shed(self, why: str, *, break_open: bool) -> None:
        """Lead nothing more to the proxy for now; break what is open if the proxy does not carry it any more."""
        if self.current is not None and self.current.acting:
            self._empty(self.current)
            self._become("shed", why)
        if break_open and self.foothold is not None:
            for port in self.ports:
                for sock in self.foothold.diagnosis.on_port(port):
                    self.foothold.diagnosis.destroy(sock)

    def caller(self) -> Caller:
        """Return who calls, as far as the pod tells."""
        facts = self.facts
        return Caller(
            node=self.desk.node,
            namespace=facts.namespace,
            pod=facts.name,
            pod_uid=facts.uid,
            workload=self.workload,
            service_account=facts.service_account,
        )

    def _become(self, name: str, why: str) -> None:
        if (self.state.name, self.state.why) != (name, why):
            self.state = State(name, why, time.time())
            self.desk.tell(self.facts, self.state)


def _apply(text: str) -> str:
    """Apply a table and return its fingerprint."""
    apply_rules(text)
    found = find_table()
    return found.fingerprint if found else ""
