"""The node's proxy, as the agent has it: its workers, whether they are well, and what that means for all pods at once.

Leases are renewed while every worker is well: they accept on the same sockets, so nobody can say which of them a new
connection will meet. A worker that is gone accepts nothing; the others go on without it.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Mapping

from apisnoop.node.messages import (
    Beat,
    Destinations,
    Dial,
    Drained,
    Enrolled,
    FromProxy,
    Hello,
    Identify,
    Leaving,
    Message,
    Over,
    Refused,
    Renewed,
    Retire,
    Unseen,
)
from apisnoop_tproxy.destinations import Reach
from apisnoop_tproxy.health import Health
from apisnoop_tproxy.health import State as Shape
from apisnoop_tproxy.pod_control import PodControl
from apisnoop_tproxy.proxy_link import ProxyLink, Worker
from apisnoop_tproxy.questions import Questions
from apisnoop_tproxy.register import Register
from apisnoop_tproxy.ways import Ways

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
RENEWAL_SECONDS = 1.0
_LOST_TIME = 0.3
"""If our own loop was late by as much, silence is no fault of the proxy's."""


class ProxyControl:
    """Use: `start`, then `await watch()` in a task of its own, and `close`; the rest at any time in between."""

    def __init__(self, link: ProxyLink, pods: Mapping[str, PodControl], ways: Ways, reach: Reach, lease: float) -> None:
        """`pods` and `reach` are the agent's, who changes them; `lease` is in seconds."""
        self.heard: float | None = None
        """When the proxy last gave a sign of life; seconds since the epoch."""
        self._link = link
        self._pods = pods
        self._reach = reach
        self._lease = lease
        self._questions = Questions(ways, reach)
        self._register: Register[PodControl] = Register()
        self._health = Health()
        self._shape = Shape.SHED
        self._looked = time.monotonic()
        self._breaking: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Let the proxy connect. Raises OSError where there is no folder for the socket."""
        self._link.start(self)

    def close(self) -> None:
        """Let go of it."""
        self._link.close()

    @property
    def served(self) -> bool:
        """Whether there is a proxy."""
        return self._link.connected

    @property
    def offering(self) -> bool:
        """Whether pods can be offered to it: to all workers, or one would have none of them."""
        return self._link.complete

    @property
    def well(self) -> bool:
        """Whether connections may be led to it."""
        return self._shape is Shape.WELL and self._link.connected

    @property
    def lag(self) -> float:
        """Seconds by which its event loop was late, as it said last."""
        return self._health.lag

    def say(self, message: Message, sockets: tuple[socket.socket, ...] = ()) -> None:
        """Tell it something."""
        self._link.say(message, sockets)

    def number(self, pod: PodControl) -> int:
        """Give the number of a new enrolment, which is to be offered to all workers that are there now."""
        return self._register.add(pod, self._link.workers)

    # -- leases ----------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Judge its health and renew leases, until cancelled."""
        self._looked, renewed = time.monotonic(), float("-inf")
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            self._look(now)
            self._judge(now)
            if self._shape is Shape.WELL and now - renewed >= RENEWAL_SECONDS:
                renewed = now
                self._renew()

    def destine(self) -> None:
        """Say where the API is now, and lead connections there."""
        self.say(Destinations(self._reach.now))
        if self.well:
            self._renew()

    def _look(self, now: float) -> None:
        """Excuse silence while our own loop stood still, whatever comes first when it goes on."""
        late = now - self._looked - TICK_SECONDS
        if late > _LOST_TIME:
            self._health.excuse(late)
        self._looked = now

    def _judge(self, now: float) -> None:
        """Shed as soon as the proxy is not well, and break its connections once when it seems dead."""
        if not self._link.connected:
            return
        shape, before = self._health.state(now), self._shape
        self._shape = shape
        if shape is before or shape is Shape.WELL:
            return
        logger.warning("connections go past the proxy: %s", self._health.why)
        self.say(Renewed(time.time(), self._health.why))
        for pod in self._pods.values():
            pod.shed(self._health.why)
        if shape is Shape.DEAD:  # after all sets are empty: that has no time to lose
            breaking = asyncio.get_running_loop().create_task(_break_carried(list(self._pods.values())))
            self._breaking.add(breaking)
            breaking.add_done_callback(self._breaking.discard)

    def _renew(self) -> None:
        until = time.time() + self._lease
        for pod in list(self._pods.values()):
            pod.renew()
        self.say(Renewed(until))

    # -- what its workers say --------------------------------------------------------------------------------------

    def joined(self, worker: Worker) -> None:
        """Take up with a worker."""
        if self._link.workers == {worker.number}:
            self._health, self._shape = Health(), Shape.WELL
        self._health.join(worker.number, time.monotonic())
        worker.say(Destinations(self._reach.now))
        if self.well:
            worker.say(Renewed(time.time() + self._lease))
        self._touch_pods()

    def lost(self, worker: Worker, reason: str) -> None:
        """Let go of all pods at once; where other workers are left, only of those that none of them accepts."""
        if self._link.connected:
            self._go_on_without(worker, reason)
            return
        logger.warning("the proxy was lost: %s", reason)
        self._health, self._shape = Health(), Shape.SHED
        self._register.clear()
        for pod in self._pods.values():
            pod.lost_proxy()

    def _go_on_without(self, worker: Worker, reason: str) -> None:
        """What the worker had not written yet is lost, so the others note a gap, if a short one."""
        why = f"worker {worker.number} of the proxy was lost: {reason}"
        logger.warning("%s", why)
        self._health.forget(worker.number)
        changes = self._register.forget(worker.number)
        for number, pod in changes.drained.items():
            pod.drained(number)
        for number, pod in changes.accepted.items():
            pod.accepted(number)
        self.say(Renewed(time.time(), why))
        if self.well:
            self._renew()
        self._touch_pods()

    def _touch_pods(self) -> None:
        for pod in self._pods.values():
            pod.touched.set()

    def hear(self, worker: Worker, message: FromProxy) -> None:
        """Take what one says."""
        match message:
            case Hello():
                return  # that is the link's
            case Beat(lag=lag):
                self._beat(worker, lag)
            case Leaving():
                self._leave(worker)
            case Identify(enrolment=number):
                self._questions.identify(worker, message, self._register.find(number))
            case Dial(enrolment=number):
                self._questions.dial(worker, message, self._register.find(number))
            case _:
                pod = self._register.find(message.enrolment)
                if pod is not None:
                    self._hear_of(pod, worker, message)

    def _hear_of(self, pod: PodControl, worker: Worker, message: Enrolled | Refused | Drained | Over | Unseen) -> None:
        number = message.enrolment
        match message:
            case Enrolled():
                if self._register.accepts(number, worker.number):
                    pod.accepted(number)
            case Refused(reason=reason):
                self._register.drop(number)
                self._link.say(Retire(number, reason=f"another worker refused it: {reason}"), but=worker)
                pod.refused(number, reason)
            case Drained():
                if self._register.carries_nothing(number, worker.number):
                    pod.drained(number)
            case Over(limit=limit):
                pod.over(limit)
            case Unseen(container=container, reason=reason):
                pod.unreadable.add(container, reason)

    def _beat(self, worker: Worker, lag: float) -> None:
        now = time.monotonic()
        self._look(now)
        self._health.beat(worker.number, now, lag)
        self.heard = time.time()
        self._judge(now)

    def _leave(self, worker: Worker) -> None:
        self._health.leave(worker.number)
        self._judge(time.monotonic())
        self.say(Renewed(time.time(), self._health.why))


async def _break_carried(pods: list[PodControl]) -> None:
    """Break what goes through the proxy, one pod after the other: it takes milliseconds for each."""
    for pod in pods:
        await asyncio.to_thread(pod.break_carried)
    for pod in pods:
        pod.broken()
