"""The pods of the node that are recorded: carries out the agent's orders on the proxy, and keeps the record of when.

A pod's connections are accepted on sockets of its own, which is how it is known beyond doubt. When the agent is lost,
nothing more is led here: connections that are open go on, new ones go to the API server without us, and that is a gap.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Protocol

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import POD_ENDED, WANTED_NO_MORE
from apisnoop.node.messages import Address, Beat, Drained, Enrol, Enrolled, Leaving, Over, Refused, Retire, Unseen
from apisnoop_addons.engine.admission import Admission
from apisnoop_addons.engine.connect import connect_directly
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.engine.listener import Client, Listener
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.node.destination import original_destination
from apisnoop_addons.node.link import AgentLink

BEAT_SECONDS = 0.25
"""How often the agent hears from us; it lets go of everything after 2 s of silence."""
PASSED_THROUGH = "passed-through"
"""A connection of a container whose connections cannot be read."""
OVER_LIMIT = "over-limit"
"""A connection more than its pod may have at a time; the agent, who has been told, leads no more here."""
LEASES_RAN_OUT = "the node agent stopped renewing leases"
STOOD_STILL = "the proxy stood still"
"""It was frozen, or its machine was; the agent has led connections past it meanwhile."""
LEAVE_SECONDS = 1.0
"""How long to wait at the end for an agent that may be gone already."""
LINGER_SECONDS = 1.5
"""How long a listener stays when nothing is led to it any more. Where a connection goes is decided by its first packet:
one that was on its way then, or is sent again after a second (RFC 6298), still arrives, and must find us."""
SILENCE = 0.6
"""Seconds between two beats that may have been too many for the agent, which waits a little longer."""


class Records(Protocol):
    """What is kept of pods, beside their calls."""

    def begin(self, caller: Caller) -> None:
        """Note that all new connections of a pod are recorded from now on."""

    def confirm(self) -> None:
        """Note that what is being recorded is recorded up to now."""

    def end(self, caller: Caller, reason: str, at: float | None = None) -> None:
        """Note that they no longer are, or since when they have not been."""

    def unseen(self, caller: Caller, reason: str) -> None:
        """Count a connection that could not be read."""


@dataclass(slots=True, eq=False)
class Pod:
    """One enrolment."""

    enrolment: int
    caller: Caller
    upstream: Address | None = None
    """Where its connections go, if nothing tells where each was going: they come by network, and we connect there."""
    sources: tuple[str, ...] = ()
    """Where they come from then."""
    listeners: list[Listener] = field(default_factory=list)
    lapsed: str = ""
    """Why it is not recorded at the moment, although it should be."""
    retired: bool = False
    lost: bool = False
    """Its agent is: what the next one says does not concern it."""


class Pods:
    """The carrier of an `AgentLink`'s orders. Use: `await pods.run()` in a task of its own beside `link.run(pods)`."""

    def __init__(
        self,
        proxy: Proxy,
        link: AgentLink,
        records: Records,
        upstream: Upstream,
        certificate: Callable[[], KeyPair],
        limits: Limits,
    ) -> None:
        """`upstream` says how servers are verified; where they are is each connection's own destination."""
        self._proxy = proxy
        self._link = link
        self._records = records
        self._upstream = upstream
        self._certificate = certificate
        self._limits = limits
        self._destinations: frozenset[Address] = frozenset()
        self._pods: dict[int, Pod] = {}
        self._orders: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._lease: asyncio.TimerHandle | None = None
        self._beaten = time.monotonic()
        self._unled = asyncio.Event()
        """Nothing new is led here at the moment."""

    # -- what the agent orders ----------------------------------------------------------------------------------

    def destine(self, addresses: Sequence[Address]) -> None:
        """Take where the API is: connections to anywhere else are closed."""
        self._destinations = frozenset(addresses)

    def enrol(self, order: Enrol, sockets: list[socket.socket]) -> None:
        """Accept a pod's connections."""
        pod = Pod(order.enrolment, order.caller, order.upstream, order.sources)
        self._orders.put_nowait(partial(self._enrol, pod, sockets))

    def retire(self, order: Retire) -> None:
        """Let a pod go."""
        self._orders.put_nowait(partial(self._retire, order))

    def renewed(self, until: float, why: str = "") -> None:
        """Take until when the agent leads connections here; recordings that had lapsed for want of it resume."""
        if self._lease is not None:
            self._lease.cancel()
        left = until - time.time()
        if left <= 0:
            self._lapse(why or LEASES_RAN_OUT, until)
            self._unled.set()
            return
        self._lease = asyncio.get_running_loop().call_later(left, self._run_out, why or LEASES_RAN_OUT, until)
        self._unled.clear()
        for pod in self._pods.values():
            if pod.lapsed and not pod.retired and not pod.lost:
                pod.lapsed = ""
                self._records.begin(pod.caller)

    def lost(self, reason: str) -> None:
        """Let go of all pods: the next agent enrols them anew."""
        if self._lease is not None:
            self._lease.cancel()
        why = f"the node agent was lost: {reason}"
        self._lapse(why)
        for pod in self._pods.values():
            pod.lost = True
        self._unled.set()
        self._orders.put_nowait(partial(self._forget_all, why))

    async def leave(self) -> None:
        """Have nothing new led here, before listeners close: for a while connections would be refused otherwise."""
        if not self._link.connected:
            return
        self._unled.clear()
        self._link.say(Leaving())
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._unled.wait()
        if self._pods:
            await asyncio.sleep(LINGER_SECONDS)

    # -- carrying it out, one after the other ---------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out orders and tell the agent that we live, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            while True:
                order = await self._orders.get()
                await order()

    async def _beat(self) -> None:
        self._beaten = time.monotonic()
        while True:
            if self._silence() > SILENCE:
                self._lapse(STOOD_STILL)
            self._beaten = time.monotonic()
            self._records.confirm()
            self._link.say(Beat(self._proxy.lag))
            await asyncio.sleep(BEAT_SECONDS)

    def connections(self) -> dict[str, int]:
        """Count the open connections of each pod, by its UID."""
        found: Counter[str] = Counter()
        for pod in self._pods.values():
            found[pod.caller.pod_uid] += self._connections(pod)
        return found

    def _silence(self) -> float:
        return time.monotonic() - self._beaten

    def _connections(self, pod: Pod) -> int:
        return sum(self._proxy.connections(listener) for listener in pod.listeners)

    async def _enrol(self, pod: Pod, sockets: list[socket.socket]) -> None:
        self._pods[pod.enrolment] = pod
        waiting = list(sockets)
        try:
            while waiting:
                listener = self._listener(pod, waiting[-1])
                await self._proxy.listen(listener)
                pod.listeners.append(listener)
                waiting.pop()
        except (OSError, ValueError) as error:  # ValueError: it is no socket to accept on
            for sock in waiting:
                sock.close()
            self._link.say(Refused(pod.enrolment, str(error)))
            await self._close(pod)
            return
        self._records.begin(pod.caller)
        self._link.say(Enrolled(pod.enrolment))

    def _listener(self, pod: Pod, sock: socket.socket) -> Listener:
        return Listener(
            socket=sock,
            identity=pod.caller,
            upstream=self._upstream,
            certificate=self._certificate,
            request_client_certificate=True,
            connect=partial(self._connect, pod) if pod.upstream is None else connect_directly,
            admit=partial(self._admit, pod),
            sources=pod.sources,
            limits=self._limits,
            over_limit=lambda _, limit: self._link.say(Over(pod.enrolment, limit)),
            unseen=partial(self._unseen, pod),
            drained=partial(self._drained, pod),
        )

    async def _retire(self, order: Retire) -> None:
        pod = self._pods.get(order.enrolment)
        if pod is None:
            return
        if not pod.retired:
            self._end(pod, order.reason or WANTED_NO_MORE)
        if order.cut:
            await self._close(pod, cut=True)
        elif not pod.retired:
            pod.retired = True
            close = partial(self._orders.put_nowait, partial(self._close, pod))
            asyncio.get_running_loop().call_later(LINGER_SECONDS, close)

    def _end(self, pod: Pod, reason: str) -> None:
        """Record nothing more of a pod."""
        if pod.lapsed and reason in {WANTED_NO_MORE, POD_ENDED}:
            self._records.begin(pod.caller)  # and end it: so long was the gap
            pod.lapsed = ""
        if not pod.lapsed:
            self._records.end(pod.caller, reason)
        for listener in pod.listeners:
            listener.recording.on = False

    async def _close(self, pod: Pod, *, cut: bool = False) -> None:
        pod.retired = True
        if not pod.listeners:
            self._pods.pop(pod.enrolment, None)
        for listener in list(pod.listeners):
            await self._proxy.unlisten(listener, cut=cut)

    async def _forget_all(self, why: str) -> None:
        self._lapse(why)  # also those whose enrolment was carried out after the loss
        pods = list(self._pods.values())
        self._pods.clear()
        for pod in pods:
            await self._close(pod)

    def _run_out(self, why: str, until: float) -> None:
        self._link.give_up()
        self._lapse(why, until)

    def _lapse(self, reason: str, until: float = inf) -> None:
        """Note that pods are not recorded any more, since `until` or since we stood still, whatever was first."""
        since = min(until, time.time() - (silence if (silence := self._silence()) > SILENCE else 0.0))
        for pod in self._pods.values():
            if not pod.retired and not pod.lapsed:
                pod.lapsed = reason
                self._records.end(pod.caller, reason, since)

    # -- what the proxy tells -------------------------------------------------------------------------------------

    async def _admit(self, pod: Pod, client: Client) -> Admission:
        if client.socket is None:
            return Admission(None)
        destination = pod.upstream or original_destination(client.socket)
        if pod.upstream is None and destination not in self._destinations:
            return Admission(None)
        source = (client.peername[0], client.peername[1])
        known = None
        if not pod.retired and not client.crowded:
            known = await self._link.identify(pod.enrolment, source, destination)
        if known is None or pod.retired:
            if not pod.retired:  # else it came late, and is none of our business any more
                self._records.unseen(pod.caller, OVER_LIMIT)
            return Admission(pod.caller, untouched=True, upstream=destination)
        # Whose credentials a call carries is the call's to say: a pod may use another account's, or none.
        caller = msgspec.structs.replace(pod.caller, container=known.container, service_account="")
        if known.untouched:
            self._records.unseen(caller, PASSED_THROUGH)
        return Admission(caller, untouched=known.untouched, upstream=destination)

    async def _connect(self, pod: Pod, _client: Client, host: str, port: int) -> socket.socket:
        sock = await self._link.dial(pod.enrolment, (host, port))
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _unseen(self, pod: Pod, client: Client, reason: str) -> None:
        self._records.unseen(client.caller, reason)
        self._link.say(Unseen(pod.enrolment, client.caller.container, reason))

    def _drained(self, pod: Pod, listener: Listener) -> None:
        if listener not in pod.listeners:  # it never listened
            return
        pod.listeners.remove(listener)
        if not pod.listeners and self._pods.get(pod.enrolment) is pod:  # else its agent is gone, and nobody waits
            del self._pods[pod.enrolment]
            self._link.say(Drained(pod.enrolment))
