"""Events on pods: what `kubectl describe pod` says of recording it. Pods themselves are never written to.

Written after a moment, so that what lasts is told and not what flickers; told again it is the same Event, counted on.
Nobody waits for them, and one that the API server does not take is lost.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
import msgspec

from apisnoop_tproxy.api import RefusedError
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import INCIDENTS, Code, Condition, State

logger = logging.getLogger(__name__)

SETTLED_SECONDS = 1.0
"""For how long a state has to last before it is told."""
WAITED_SECONDS = 10.0
"""The same for waiting, which is how everything begins."""
INCIDENT_SECONDS = 60.0
"""Between two of the same kind in one pod, whose programs can make as many as they like."""
_PACE_SECONDS = 0.05
"""Between two: the API server has better things to do when a node's proxy fails with all its pods."""
_COMPONENT = "apisnoop-agent"


class Sender(Protocol):
    """The API server."""

    async def create(self, path: str, thing: Mapping[str, Any]) -> None:
        """Create an object. Raises RefusedError or aiohttp.ClientError."""

    async def patch(self, path: str, change: Mapping[str, Any]) -> None:
        """Change an object. Raises RefusedError or aiohttp.ClientError."""


class _Told(msgspec.Struct):
    name: str
    count: int = 1


class Saying(msgspec.Struct, frozen=True):
    """What an Event says."""

    reason: str
    warning: bool
    code: Code


class Events:
    """Use: `tell` at any time, and `await run()` in a task of its own."""

    def __init__(self, sender: Sender, node: str, existing: Callable[[str], int]) -> None:
        """`existing` counts, by a pod's UID, the connections that are older than its recording."""
        self._sender, self._node, self._existing = sender, node, existing
        self._due: dict[tuple[str, Code | None], tuple[float, PodFacts, State]] = {}
        """By pod: how it stands with it (None), and what has happened, by its kind."""
        self._happened: dict[str, dict[Code, float]] = {}
        """When each kind of incident is, or was last, to be told."""
        self._told: dict[str, dict[Saying, _Told]] = {}
        self._last: dict[str, Saying] = {}
        self._news = asyncio.Event()

    def tell(self, pod: PodFacts, state: State) -> None:
        """Take how it stands with a pod now."""
        code, now = state.cause.code, time.monotonic()
        if code is Code.POD_ENDED:
            self._forget(pod.uid)
            return
        if code in INCIDENTS:
            happened = self._happened.setdefault(pod.uid, {})
            if (pod.uid, code) not in self._due:
                happened[code] = max(now, happened.get(code, now - INCIDENT_SECONDS) + INCIDENT_SECONDS)
            self._due[pod.uid, code] = (happened[code], pod, state)
        else:
            lasting = WAITED_SECONDS if state.name is Condition.WAITING else SETTLED_SECONDS
            self._due[pod.uid, None] = (now + lasting, pod, state)
        self._news.set()

    def _forget(self, pod_uid: str) -> None:
        for key in [key for key in self._due if key[0] == pod_uid]:
            del self._due[key]
        for kept in (self._happened, self._told, self._last):
            kept.pop(pod_uid, None)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            self._news.clear()
            now = time.monotonic()
            due = [key for key, (moment, _, _) in self._due.items() if moment <= now]
            for key in due:
                found = self._due.get(key)
                if found is not None and found[0] <= now:
                    del self._due[key]
                    await self._write(found[1], found[2])
                    await asyncio.sleep(_PACE_SECONDS)
            if not due:
                await self._wait(now)

    async def _wait(self, now: float) -> None:
        left = min((moment for moment, _, _ in self._due.values()), default=now + 3600) - now
        try:
            async with asyncio.timeout(left):
                await self._news.wait()
        except TimeoutError:
            return

    async def _write(self, pod: PodFacts, state: State) -> None:
        saying = saying_of(state)
        if saying is None or (saying.code not in INCIDENTS and not self._is_new(pod, saying)):
            return
        message = message_of(state, self._existing(pod.uid))
        try:
            await self._send(pod, saying, message)
        except (RefusedError, aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.info("no event for %s/%s: %s", pod.namespace, pod.name, str(error) or type(error).__name__)

    def _is_new(self, pod: PodFacts, saying: Saying) -> bool:
        """Tell whether a pod's state is another than was told last, and take it for told."""
        last = self._last.get(pod.uid)
        if saying == last or (saying.reason == "ApisnoopStopped" and last is None):
            return False  # in the second case it was never recorded, as far as anybody was told
        self._last[pod.uid] = saying
        return True

    async def _send(self, pod: PodFacts, saying: Saying, message: str) -> None:
        path = f"/api/v1/namespaces/{pod.namespace}/events"
        of_pod = self._told.setdefault(pod.uid, {})
        told = of_pod.get(saying)
        if told is not None:
            told.count += 1
            change = {"count": told.count, "lastTimestamp": _now(), "message": message}
            try:
                await self._sender.patch(f"{path}/{told.name}", change)
            except RefusedError as error:
                if error.status != 404:
                    raise
            else:
                return  # otherwise it has expired: Events live for an hour
        told = of_pod[saying] = _Told(f"{pod.name[:200]}.{secrets.token_hex(8)}")
        await self._sender.create(path, self._render(pod, saying, message, told.name))

    def _render(self, pod: PodFacts, saying: Saying, message: str, name: str) -> dict[str, Any]:
        """Render an Event (core/v1)."""
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": pod.namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod.name,
                "namespace": pod.namespace,
                "uid": pod.uid,
            },
            "type": "Warning" if saying.warning else "Normal",
            "reason": saying.reason,
            "message": message,
            "source": {"component": _COMPONENT, "host": self._node},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": (now := _now()),
            "lastTimestamp": now,
            "count": 1,
        }


def saying_of(state: State) -> Saying | None:
    """Return what there is to tell of a state; None if nothing."""
    code = state.cause.code
    if code in {Code.SUPERSEDED, Code.OWN_POD, Code.POD_ENDED}:
        return None
    if code in INCIDENTS:
        return Saying("ApisnoopDisturbed", warning=True, code=code)
    match state.name:
        case Condition.INTERCEPTING:
            return Saying("ApisnoopIntercepting", warning=False, code=code)
        case Condition.SKIPPED | Condition.SHED | Condition.WAITING:
            return Saying("ApisnoopNotIntercepting", warning=True, code=code)
        case Condition.OFF | Condition.DRAINING:
            return Saying("ApisnoopStopped", warning=False, code=code)


def message_of(state: State, existing: int) -> str:
    """Put a state into words."""
    if state.cause.code in INCIDENTS:
        return f"something in the pod disturbs the recording of its API calls: {state.why}"
    match state.name:
        case Condition.INTERCEPTING:
            older = f"; {existing} of its API connections are older and not seen (apisnoop/reset=true breaks them)"
            return f"API calls on new connections are recorded: {state.why}{older if existing else ''}"
        case Condition.OFF | Condition.DRAINING:
            return f"API calls are not recorded any more: {state.why}"
        case _:
            return f"API calls are not recorded: {state.why}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
