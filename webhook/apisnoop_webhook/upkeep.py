"""The rounds in which the webhook looks after itself and at the cluster, in a thread of its own.

Level-triggered: each round compares what is with what should be, so a missed, failed or undone step is made up for in
the next. A chore that fails keeps no other from being done. There is a round when something has changed that it looks
at, and otherwise seldom: an idle webhook leaves the API server in peace.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Thread
from typing import Protocol

from apisnoop.errors import ApisnoopError
from apisnoop_webhook.attention import follow
from apisnoop_webhook.bundles import Bundles
from apisnoop_webhook.cluster import Cluster, namespaced
from apisnoop_webhook.lease import Leadership
from apisnoop_webhook.reviewer import Reviewer
from apisnoop_webhook.settings import Trust

PERIOD = 10.0
"""Seconds between renewals of the lease."""
LOOK_AGAIN = 60.0
"""Seconds after which there is a round although nothing seems to have changed."""
HURRY = 2.0
"""Seconds between rounds as long as something is amiss."""
_CALM = 0.5
"""Seconds between rounds, however much changes: a rollout of the agents changes their object for each node."""

_log = logging.getLogger(__name__)


class Certificate(Protocol):
    """The webhook's own certificate, whoever keeps it."""

    @property
    def watched(self) -> Sequence[str]:
        """Paths of the objects that it tends."""

    @property
    def loaded(self) -> bool:
        """Whether there is one to serve with."""

    def tend(self, *, leads: bool, for_owners: bool) -> None:
        """Serve with the newest; as the leader, keep it young.

        And, where it is ours to say, have the API server ask about pods for their owners' sake, or not.
        """


class Upkeep:
    """All chores of one replica."""

    def __init__(
        self,
        cluster: Cluster,
        reviewer: Reviewer,
        leadership: Leadership,
        certificate: Certificate,
        bundles: Bundles,
        *,
        agents: tuple[str, str],
        verdict: tuple[str, str],
    ) -> None:
        """`agents` (a DaemonSet) and `verdict` (a ConfigMap) are namespace and name."""
        self._cluster = cluster
        self._reviewer = reviewer
        self._leadership = leadership
        self._certificate = certificate
        self._bundles = bundles
        self._agents = namespaced("daemonsets", *agents, group="apps/v1")
        self._verdict = namespaced("configmaps", *verdict)
        self._watched = (self._agents, self._verdict, *certificate.watched)
        self._failed: dict[str, str] = {}
        self._looked = False
        self._changed, self._stopped = Event(), Event()

    @property
    def ready(self) -> bool:
        """Whether reviews can be answered: there is a certificate, and the cluster has been looked at."""
        return self._certificate.loaded and self._looked

    def run(self) -> None:
        """Go round until `stop` is called, then let go of the lease."""
        for path in self._watched:
            arguments = (self._cluster, path, self._changed, self._stopped)
            Thread(target=follow, args=arguments, name=f"watch {path}", daemon=True).start()
        last = time.monotonic()
        while not self._stopped.is_set():
            if self._changed.is_set() or self._amiss or time.monotonic() - last >= LOOK_AGAIN:
                self._changed.clear()  # first: what changes during the round is looked at again
                last = time.monotonic()
                self.go_round()
                self._stopped.wait(_CALM)
            elif self._takes_the_lead():
                continue
            self._changed.wait(HURRY if self._amiss else PERIOD)
        self._chore("the lease", self._leadership.release)

    def stop(self) -> None:
        """Have `run` end, soon."""
        self._stopped.set()
        self._changed.set()

    @property
    def _amiss(self) -> bool:
        return bool(self._failed) or not self.ready

    def _takes_the_lead(self) -> bool:
        """Ask for the lease; a new leader has what the old one may have left undone to look at."""
        led = self._leadership.held
        self._chore("the lease", self._leadership.tend)
        if led or not self._leadership.held:
            return False
        self._changed.set()
        return True

    def go_round(self) -> None:
        """Do every chore once."""
        self._chore("the lease", self._leadership.tend)
        seen = self._chore("the verdict on certificates", self._look_at_trust)
        seen = self._chore("the node agents", self._look_at_agents) and seen
        self._looked = self._looked or seen
        # After the looks: once the configuration trusts us, we are asked.
        own = self._reviewer.situation.trust is Trust.OWN
        self._chore("the certificate", lambda: self._certificate.tend(leads=self._leadership.held, for_owners=own))
        if self._leadership.held and own:
            self._chore("the bundles", self._bundles.tend)
        else:
            self._failed.pop("the bundles", None)

    def _chore(self, name: str, do: Callable[[], object]) -> bool:
        """Do one thing; a failure is logged once, and so is its end."""
        try:
            do()
        except (ApisnoopError, OSError) as error:
            if self._failed.get(name) != str(error):
                _log.warning("cannot tend %s: %s", name, error)
            self._failed[name] = str(error)
            return False
        if self._failed.pop(name, None) is not None:
            _log.info("could tend %s again", name)
        return True

    def _look_at_trust(self) -> None:
        data = self._cluster.get(self._verdict).get("data") or {}
        trust = Trust(data["mode"]) if data.get("mode") in set(Trust) else Trust.NONE
        if trust is Trust.OWN:
            self._bundles.set_authority(data.get("ca.crt", ""))
        self._reviewer.situation = replace(self._reviewer.situation, trust=trust)

    def _look_at_agents(self) -> None:
        status = self._cluster.get(self._agents).get("status") or {}
        self._reviewer.situation = replace(self._reviewer.situation, agents_ready=are_ready(status))


def are_ready(status: dict[str, object]) -> bool:
    """Whether most nodes that are to have an agent have a ready one, from a DaemonSet's status.

    Not all: in a large cluster some node is always out of order, and pods elsewhere should not suffer.
    """
    ready, desired = status.get("numberReady"), status.get("desiredNumberScheduled")
    return isinstance(ready, int) and isinstance(desired, int) and ready > desired / 2
