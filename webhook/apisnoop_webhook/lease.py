"""Which replica leads: a Lease object, as every controller of Kubernetes has it.

A lease has run out when nothing of it has changed for its duration by our own clock, so clocks need not agree.
https://kubernetes.io/docs/concepts/architecture/leases/
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from apisnoop.errors import RefusedError
from apisnoop_webhook.cluster import Cluster, Json, namespaced

DURATION = 40.0
"""Seconds after which a leader that says nothing is none; it renews every ten. What it does has time for that."""
_MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"

_log = logging.getLogger(__name__)


class Leadership:
    """Asks for the lease, once a round. The object is there from the start: only its contents are ours."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, identity: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = cluster
        self._path = namespaced("leases", namespace, name, group="coordination.k8s.io/v1")
        self._identity = identity
        self._clock = clock
        self._seen: Json = {}
        self._seen_at = clock()
        self._renewed_at = -DURATION

    @property
    def held(self) -> bool:
        """Whether we lead: our last renewal is young enough that nobody else can have taken over."""
        return self._clock() - self._renewed_at < DURATION * 2 / 3

    def tend(self) -> bool:
        """Take the lease if it is free, renew it if it is ours; returns whether we lead.

        Raises ApisnoopError if it cannot be read.
        """
        asked, led = self._clock(), self.held
        lease = self._cluster.get(self._path)
        spec = lease.get("spec") or {}
        if spec != self._seen:
            self._seen, self._seen_at = spec, asked
        holder = spec.get("holderIdentity") or ""
        if holder not in {"", self._identity} and asked - self._seen_at < DURATION:
            return False
        lease["spec"] = _renewed(spec, self._identity, datetime.now(UTC))
        try:
            self._seen = self._cluster.replace(self._path, lease)["spec"]
        except RefusedError as error:
            if error.status == 409:  # somebody was quicker
                return False
            raise
        self._seen_at = self._renewed_at = asked
        if not led:
            _log.info("%s leads", self._identity)
        return True

    def release(self) -> None:
        """Let go of the lease, so that the next leader need not wait for its end.

        Raises ApisnoopError if it cannot be written.
        """
        if not self.held:
            return
        lease = self._cluster.get(self._path)
        if (lease.get("spec") or {}).get("holderIdentity") == self._identity:
            lease["spec"] = {**lease["spec"], "holderIdentity": ""}
            self._cluster.replace(self._path, lease)
        self._renewed_at = -DURATION


def _renewed(spec: Json, identity: str, now: datetime) -> Json:
    """Give the lease's contents when `identity` has just asked."""
    moment = f"{now:{_MICRO_TIME}}"
    if spec.get("holderIdentity") == identity:
        return {**spec, "renewTime": moment}
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": int(DURATION),
        "acquireTime": moment,
        "renewTime": moment,
        "leaseTransitions": (spec.get("leaseTransitions") or 0) + 1,
    }
