"""The agent of one node: pods on one side, the proxy on the other, and leases that hold only while both are well.

It does not know where its pods come from; `cluster` tells it. Everything runs in one event loop, so nothing here waits
except in threads: a pod's file system may never answer.
"""

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop.node.messages import (
    Address,
    Beat,
    Destinations,
    Dial,
    Dialled,
    Drained,
    Enrolled,
    FromProxy,
    Identified,
    Identify,
    Leaving,
    Message,
    Over,
    Refused,
    Renewed,
    Unseen,
)
from apisnoop.node.wanted import Wanted
from apisnoop_tproxy.destinations import Reach
from apisnoop_tproxy.figures import Figures
from apisnoop_tproxy.health import Health
from apisnoop_tproxy.health import State as Shape
from apisnoop_tproxy.pod_control import LATER, PodControl
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Condition, State
from apisnoop_tproxy.processes import HOST, PROC
from apisnoop_tproxy.proxy_link import ProxyLink
from apisnoop_tproxy.rules import new_generation
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.trust import Trust
from apisnoop_tproxy.ways import AnyPresence, choose_ways

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
FINISH_SECONDS = 20.0
"""For how long to wait at the end for connections to end; Kubernetes gives 30 s."""
RENEWAL_SECONDS = 1.0
CERTIFICATE_SECONDS = 1.0
"""How often the certificate is looked at; the kubelet exchanges it without a sign."""
_LOST_TIME = 0.3
"""If our own loop was late by as much, silence is no fault of the proxy's."""


class Agent:
    """Use: `update` and `remove` pods, `destine` to the API's addresses, `await run()` in a task of its own."""

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[PodFacts, State], None],
        *,
        host: Path = HOST,
        proc: Path = PROC,
    ) -> None:
        self.started = time.time()
        self.generation = new_generation(self.started)
        self.lease = settings.lease
        self.node = settings.node
        self.pods: dict[str, PodControl] = {}
        self.health: Health | None = None
        self.heard: float | None = None
        """When the proxy last gave a sign of life; seconds since the epoch."""
        self.figures = Figures()
        self._tell = tell
        self._settings = settings
        self._link = ProxyLink(settings.socket, frozenset({settings.proxy_uid}), settings.proxy_uid or None)
        self._reach = Reach()
        self._numbers = itertools.count(1)
        self._enrolments: dict[int, PodControl] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._answering: set[asyncio.Task[None]] = set()
        self.succession = Succession(self.generation, settings.namespace, settings.pod)
        self._ways = choose_ways(settings, self.succession, host, proc)
        self._shape = Shape.SHED

    # -- what is to be done ----------------------------------------------------------------------------------------

    def update(self, facts: PodFacts, wanted: Wanted, workload: str = "") -> None:
        """Take what is known of a pod of this node now."""
        facts = self._ways.judge(facts)
        self.succession.see(facts)
        pod = self.pods.get(facts.uid)
        if pod is None:
            pod = self.pods[facts.uid] = PodControl(facts, wanted, workload, self)
            if self._tasks is not None:
                self._tasks.create_task(self._keep(pod))
        pod.update(facts, wanted, workload)

    def remove(self, uid: str) -> None:
        """Hear that a pod is there no more."""
        pod = self.pods.pop(uid, None)
        if pod is not None:
            pod.gone = True
            pod.touched.set()
            self._ways.forget(uid)
            self.succession.forget(uid)

    def destine(self, addresses: Collection[Address]) -> None:
        """Take where the API is: from the next renewal on, connections there are redirected, and to nowhere else."""
        if not self._reach.destine({*addresses, *self._settings.extra_destinations}):
            return
        self.say(Destinations(self.destinations))
        if self.well:
            self._renew()
        for pod in self.pods.values():
            pod.touched.set()

    async def run(self) -> None:
        """Serve until cancelled; then let every pod go, and wait for its connections to end, if that is soon."""
        self._link.start(self)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for pod in self.pods.values():
                    tasks.create_task(self._keep(pod))
                tasks.create_task(self._watch_certificate())
                await self._watch_health()
        finally:
            await self._finish()
            self._link.close()

    async def _finish(self) -> None:
        """Empty all sets at once, then delete tables as their last connections end. What is left over does nothing."""
        for pod in self.pods.values():
            pod.let_go("the node agent ends")
        deadline = time.monotonic() + FINISH_SECONDS
        left = list(self.pods.values())
        while left and time.monotonic() < deadline:
            left = [pod for pod in left if not await pod.finish()]
            if left:
                await asyncio.sleep(TICK_SECONDS)
        for pod in left:
            await pod.finish(patient=False)
            pod.leave()

    async def _keep(self, pod: PodControl) -> None:
        """Bring one pod to what is wanted, again and again, until it has gone."""
        while True:
            pod.touched.clear()
            gone = pod.gone  # what comes while converging is seen to in another round
            try:
                again = await pod.converge()
            except Exception:  # one pod's surprise is not the other pods' end
                logger.exception("pod %s/%s", pod.facts.namespace, pod.facts.name)
                again = LATER
            if gone:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await pod.touched.wait()

    async def _watch_certificate(self) -> None:
        """Look at every pod again when the proxy has another certificate. It may be one of another authority."""
        known = await asyncio.to_thread(_read, self._settings.certificate)
        while True:
            await asyncio.sleep(CERTIFICATE_SECONDS)
            found = await asyncio.to_thread(_read, self._settings.certificate)
            if found != known:
                known = found
                for pod in self.pods.values():
                    pod.unreadable.forget_rejections()
                    pod.touched.set()

    # -- leases ----------------------------------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        last, renewed = time.monotonic(), float("-inf")
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if self.health is not None and now - last > TICK_SECONDS + _LOST_TIME:
                self.health.excuse(now - last - TICK_SECONDS)
            last = now
            self._judge(now)
            if self._shape is Shape.WELL and now - renewed >= RENEWAL_SECONDS:
                renewed = now
                self._renew()

    def _judge(self, now: float) -> None:
        """Shed as soon as the proxy is not well, and break its connections once when it seems dead."""
        if self.health is None:
            return
        shape, before = self.health.state(now), self._shape
        self._shape = shape
        if shape is before or shape is Shape.WELL:
            return
        logger.warning("connections go past the proxy: %s", self.health.why)
        self.say(Renewed(time.time(), self.health.why))
        for pod in self.pods.values():
            pod.shed(self.health.why)
        if shape is Shape.DEAD and self._tasks is not None:  # after all sets are empty: that has no time to lose
            self._tasks.create_task(asyncio.to_thread(_break_carried, list(self.pods.values())))

    def _renew(self) -> None:
        until = time.time() + self.lease
        for pod in list(self.pods.values()):
            pod.renew()
        self.say(Renewed(until))

    # -- the proxy's side ------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """Take up with a new proxy."""
        self.health, self._shape = Health(time.monotonic()), Shape.WELL
        self.say(Destinations(self.destinations))
        self.say(Renewed(time.time() + self.lease))
        for pod in self.pods.values():
            pod.touched.set()

    def lost(self, reason: str) -> None:
        """Let go of all pods at once."""
        logger.warning("the proxy was lost: %s", reason)
        self.health, self._shape = None, Shape.SHED
        self._enrolments.clear()
        for pod in self.pods.values():
            pod.lost_proxy()

    def hear(self, message: FromProxy) -> None:
        """Take what the proxy says."""
        if isinstance(message, Beat):
            self._beat(message)
            return
        if isinstance(message, Leaving):
            self._leave()
            return
        pod = self._enrolments.get(getattr(message, "enrolment", 0))
        if isinstance(message, Identify):
            self._identify(message, pod)
        elif isinstance(message, Dial):
            self._dial(message, pod)
        elif pod is not None:
            self._hear_of(pod, message)

    def _hear_of(self, pod: PodControl, message: FromProxy) -> None:
        match message:
            case Enrolled(enrolment=number):
                pod.accepted(number)
            case Refused(enrolment=number, reason=reason):
                del self._enrolments[number]
                pod.refused(number, reason)
            case Drained(enrolment=number):
                del self._enrolments[number]
                pod.drained(number)
            case Over(limit=limit):
                pod.over(limit)
            case Unseen(container=container, reason=reason):
                pod.unreadable.add(container, reason)

    def _leave(self) -> None:
        if self.health is not None:
            self.health.leave()
            self._judge(time.monotonic())
            self.say(Renewed(time.time(), self.health.why))

    def _beat(self, beat: Beat) -> None:
        now = time.monotonic()
        if self.health is not None:
            self.health.beat(now, beat.lag)
            self.heard = time.time()
            self._judge(now)
        for pod in self.pods.values():
            pod.connections = 0
        for number, count in beat.connections.items():
            carried = self._enrolments.get(number)
            if carried is not None:
                carried.connections += count

    def _identify(self, question: Identify, pod: PodControl | None) -> None:
        answering = asyncio.get_running_loop().create_task(self._answer(question, pod))
        self._answering.add(answering)  # also while we end, which connections on their way may outlast
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, question: Identify, pod: PodControl | None) -> None:
        container = ""
        if pod is not None and pod.presence is not None:
            container = await self._ways.container(pod.facts, pod.presence, question.source, question.destination)
        untouched = pod is not None and container in pod.unreadable
        self.say(Identified(question.question, container, untouched))

    def _dial(self, question: Dial, pod: PodControl | None) -> None:
        if pod is None or pod.presence is None:
            self.say(Dialled(question.question, error="the pod is not there any more"))
            return
        if question.destination not in self._reach:  # the proxy may be wrong, and must not lead a pod astray
            self.say(Dialled(question.question, error="the API server is not there"))
            return
        try:
            sock = self._ways.way_out(pod.presence, question.destination)
        except OSError as error:
            self.say(Dialled(question.question, error=cause_of(error)))
            return
        with sock:
            self.say(Dialled(question.question), (sock,))

    def existing(self, uid: str) -> int:
        """Count a pod's API connections that go past the proxy although it is recorded."""
        pod = self.pods.get(uid)
        return pod.existing() if pod is not None else 0

    def count_existing(self) -> dict[str, int]:
        """Count them for every pod, by UID; may be called from another thread, for it takes milliseconds a pod."""
        return {uid: pod.existing() for uid, pod in list(self.pods.items())}

    # -- what pods need --------------------------------------------------------------------------------------------

    @property
    def destinations(self) -> tuple[Address, ...]:
        """Where the API is."""
        return self._reach.now

    @property
    def served(self) -> bool:
        """Whether there is a proxy."""
        return self._link.connected

    @property
    def well(self) -> bool:
        """Whether connections may be led to it."""
        return self._shape is Shape.WELL and self._link.connected

    @property
    def leases(self) -> int:
        """The number of pods whose new connections are led to it at this moment."""
        return sum(pod.state.name is Condition.INTERCEPTING for pod in self.pods.values())

    def say(self, message: Message, sockets: tuple[socket.socket, ...] = ()) -> None:
        """Tell the proxy."""
        self._link.say(message, sockets)

    def number(self, pod: PodControl) -> int:
        """Give a new enrolment's number."""
        number = next(self._numbers)
        self._enrolments[number] = pod
        return number

    @property
    def server(self) -> Address | None:
        """Where the proxy reaches the API server, if not where each connection was going."""
        return self._settings.server

    async def enter(self, pod: PodFacts) -> AnyPresence:
        """Take up with a pod. Raises NotThereError, OSError."""
        return await self._ways.enter(pod)

    async def stay(self, pod: PodFacts, presence: AnyPresence) -> bool:
        """Hold on to another process of a pod."""
        return await self._ways.stay(pod, presence)

    async def trust(self, pod: PodFacts, presence: AnyPresence) -> Trust:
        """Find out whether a pod would accept our certificate."""
        return await self._ways.trust(pod, presence)

    def tell(self, pod: PodFacts, state: State) -> None:
        """Let people know."""
        self._tell(pod, state)

    def acted(self, seconds: float) -> None:
        """Count how long it took from what was wanted to the rule."""
        self.figures.to_rule.observe(seconds)

    def lapsed(self) -> None:
        """Count a gap."""
        self.figures.gaps += 1


def _break_carried(pods: list[PodControl]) -> None:
    """Break what goes through the proxy, one pod after the other: it takes milliseconds for each."""
    for pod in pods:
        pod.break_carried()


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""
