"""How the agent is in one pod: it enters when it has to, stays as long as a process of the pod lives, and leaves.

While it is there the pod's network namespace cannot go, so whoever calls `hold_on` has to heed the answer.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from apisnoop.node.messages import Address
from apisnoop_tproxy.desk import Desk
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.ways import AnyPresence


class Visit:
    """To one pod. `touched` is set when the process that showed the way has ended: with the pod, or before."""

    def __init__(self, desk: Desk, touched: asyncio.Event) -> None:
        self.presence: AnyPresence | None = None
        self.examined = False
        """Whether it has been looked for what an earlier agent left."""
        self.unattended = False
        """Somebody else listens where we would answer the init container."""
        self._desk = desk
        self._touched = touched
        self._orphaned = False
        """The process that showed us the way has ended."""

    async def enter(self, pod: PodFacts) -> AnyPresence:
        """Be in the pod. Raises NotThereError, OSError."""
        if self.presence is None:
            self.presence = await self._desk.ways.enter(pod)
            self.examined = True
            self._heed_process()
        return self.presence

    async def hold_on(self, pod: PodFacts) -> bool:
        """Hold on to another process of the same namespace if ours has ended; return False if there is none."""
        if not self._orphaned:
            return True
        self._orphaned = False
        if self.presence is None:
            return True
        if await self._desk.ways.stay(pod, self.presence):
            self._heed_process()
            return True
        self.examined = False
        return False

    def leave(self) -> None:
        """Close every descriptor that keeps the namespace."""
        if self.presence is not None:
            self._heed_no_process()
            self.presence.close()
            self.presence = None

    def attend(self, *, starting: bool, answer: str) -> str:
        """Answer the init container's question while it may ask; return why we cannot, if that is news.

        Without a proxy there is nothing to say that another agent of this node might not know better.
        """
        told, self.unattended = self.unattended, False
        if self.presence is None:
            return ""
        if not starting or not (self._desk.served or answer):
            self.presence.ignore()
            return ""
        why = self.presence.attend()
        self.unattended = bool(why)
        self.presence.answer(answer)
        return "" if told else why

    def count_direct(self, destinations: Collection[Address]) -> int:
        """Count the pod's API connections that go past the proxy, if we are there; any thread may ask."""
        presence = self.presence  # it may be left meanwhile
        with suppress(OSError):
            return len(presence.direct(destinations)) if presence is not None else 0
        return 0

    def _heed_process(self) -> None:
        if self.presence is not None and self.presence.pidfd is not None:
            asyncio.get_running_loop().add_reader(self.presence.pidfd, self._process_ended)

    def _heed_no_process(self) -> None:
        if self.presence is not None and self.presence.pidfd is not None:
            asyncio.get_running_loop().remove_reader(self.presence.pidfd)

    def _process_ended(self) -> None:
        self._heed_no_process()
        self._orphaned = True
        self._touched.set()
