"""What a review asks the cluster: owners and namespaces, remembered for a second.

A Deployment that starts a hundred pods asks a hundred times for the same two objects.
"""

import time
from collections.abc import Iterator

from apisnoop.decoding import convert
from apisnoop.node.wanted import Marks, Metadata, OwnerReference, read_marks
from apisnoop_webhook.bundles import Bundles
from apisnoop_webhook.cluster import Cluster, namespaced

REMEMBERED = 1.0
"""Seconds. Who marks a Deployment and restarts it at once must not meet what it said before."""
MOST_REMEMBERED = 1000
_RESOURCES = {
    ("apps/v1", "ReplicaSet"): "replicasets",
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("apps/v1", "DaemonSet"): "daemonsets",
    ("batch/v1", "Job"): "jobs",
    ("batch/v1", "CronJob"): "cronjobs",
}
"""The kinds that are asked; those of others say what they want on the pods they make."""
_DEEPEST = 3
"""Owners of owners: pod, Job, CronJob is as deep as it gets; no chain is followed for ever."""


class ClusterLookup:
    """Reads metadata of objects; called from several threads."""

    def __init__(self, cluster: Cluster, bundles: Bundles) -> None:
        self._cluster = cluster
        self._bundles = bundles
        self._remembered: dict[str, tuple[float, Metadata]] = {}

    def owners(self, pod: Metadata, namespace: str) -> list[Marks]:
        """Read what the pod's owners say, nearest first, as far as the chain of controllers can be followed."""
        return list(self._owners(pod, namespace))

    def namespace(self, name: str) -> Metadata:
        """Read a namespace's metadata."""
        return self._metadata(f"/api/v1/namespaces/{name}")

    def ensure_bundle(self, namespace: str) -> None:
        """Have the namespace hold the bundle of authorities, as it should be now."""
        self._bundles.ensure(namespace)

    def _owners(self, metadata: Metadata, namespace: str) -> Iterator[Marks]:
        for _ in range(_DEEPEST):
            owner = _controller(metadata)
            resource = _RESOURCES.get((owner.api_version, owner.kind)) if owner else None
            if owner is None or resource is None:
                return
            metadata = self._metadata(namespaced(resource, namespace, owner.name, group=owner.api_version))
            yield read_marks(owner.kind.lower(), metadata)

    def _metadata(self, path: str) -> Metadata:
        now = time.monotonic()
        known = self._remembered.get(path)
        if known is not None and now - known[0] < REMEMBERED:
            return known[1]
        found = self._cluster.get(path)["metadata"]
        found.pop("managedFields", None)  # when something was said matters to whoever records, not here
        metadata = convert(found, Metadata)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered = {}
        self._remembered[path] = now, metadata
        return metadata


def _controller(metadata: Metadata) -> OwnerReference | None:
    return next((owner for owner in metadata.owner_references or () if owner.controller), None)
