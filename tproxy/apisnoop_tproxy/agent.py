"""The agent of one node: pods on one side, the proxy on the other, and leases that hold only while both are well.

It does not know where its pods come from; `cluster` tells it. Everything runs in one event loop, so nothing here waits
except in threads: a pod's file system may never answer.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from apisnoop.node.messages import Address, Message
from apisnoop.node.wanted import Wanted
from apisnoop_tproxy.destinations import Reach
from apisnoop_tproxy.figures import Figures
from apisnoop_tproxy.pod_control import LATER, PodControl
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Condition, State
from apisnoop_tproxy.processes import HOST, PROC
from apisnoop_tproxy.proxy_control import ProxyControl
from apisnoop_tproxy.proxy_link import ProxyLink
from apisnoop_tproxy.rules import new_generation
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.ways import choose_ways

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
"""How often it is looked whether pods can be left at the end."""
FINISH_SECONDS = 20.0
"""For how long to wait at the end for connections to end; Kubernetes gives 30 s."""
CERTIFICATE_SECONDS = 1.0
"""How often the certificate is looked at; the kubelet exchanges it without a sign."""


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
        self.figures = Figures()
        self._tell = tell
        self._settings = settings
        self._reach = Reach()
        self._tasks: asyncio.TaskGroup | None = None
        self.succession = Succession(self.generation, settings.namespace, settings.pod)
        self.ways = choose_ways(settings, self.succession, host, proc)
        link = ProxyLink(settings.socket, frozenset({settings.proxy_uid}), settings.proxy_uid or None)
        self.proxy = ProxyControl(link, self.pods, self.ways, self._reach, self.lease)

    # -- what is to be done ----------------------------------------------------------------------------------------

    def update(self, facts: PodFacts, wanted: Wanted, workload: str = "") -> None:
        """Take what is known of a pod of this node now."""
        facts = self.ways.judge(facts)
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
            self.ways.forget(uid)
            self.succession.forget(uid)

    def destine(self, addresses: Collection[Address]) -> None:
        """Take where the API is: from the next renewal on, connections there are redirected, and to nowhere else."""
        if not self._reach.destine({*addresses, *self._settings.extra_destinations}):
            return
        self.proxy.destine()
        for pod in self.pods.values():
            pod.touched.set()

    async def run(self) -> None:
        """Serve until cancelled; then let every pod go, and wait for its connections to end, if that is soon."""
        self.proxy.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for pod in self.pods.values():
                    tasks.create_task(self._keep(pod))
                tasks.create_task(self._watch_certificate())
                await self.proxy.watch()
        finally:
            await self._finish()
            self.proxy.close()

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

    # -- what others see -------------------------------------------------------------------------------------------

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
        return self.proxy.served

    @property
    def offering(self) -> bool:
        """Whether pods can be offered to it: to all of its workers, or one would have none of them."""
        return self.proxy.offering

    @property
    def well(self) -> bool:
        """Whether connections may be led to it."""
        return self.proxy.well

    @property
    def leases(self) -> int:
        """The number of pods whose new connections are led to it at this moment."""
        return sum(pod.state.name is Condition.INTERCEPTING for pod in self.pods.values())

    def say(self, message: Message, sockets: tuple[socket.socket, ...] = ()) -> None:
        """Tell the proxy."""
        self.proxy.say(message, sockets)

    def number(self, pod: PodControl) -> int:
        """Give a new enrolment's number."""
        return self.proxy.number(pod)

    @property
    def server(self) -> Address | None:
        """Where the proxy reaches the API server, if not where each connection was going."""
        return self._settings.server

    def tell(self, pod: PodFacts, state: State) -> None:
        """Let people know."""
        self._tell(pod, state)

    def acted(self, seconds: float) -> None:
        """Count how long it took from what was wanted to the rule."""
        self.figures.to_rule.observe(seconds)

    def lapsed(self) -> None:
        """Count a gap."""
        self.figures.gaps += 1


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""
