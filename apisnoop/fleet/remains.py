"""What an uninstall has to remove, and what has to stay until pods have gone that were made while it was installed."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from apisnoop.fleet.objects import COMPONENT, NAME, REQUESTS, TEST, WEBHOOKS, Pod
from apisnoop.fleet.wishes import OURS
from apisnoop.node.wanted import PART_OF, REDIRECT_CONTAINER, WAIT_CONTAINER, Metadata

INIT_CONTAINERS = frozenset({WAIT_CONTAINER, REDIRECT_CONTAINER})
"""What the webhook puts into pods; both end by themselves when nobody answers."""
BUNDLE = "apisnoop-root-ca.crt"
"""ConfigMap with authorities, which pods of own-CA mode mount."""
_CORE = ("pods", "services", "serviceaccounts", "secrets", "configmaps")
COLLECTIONS = (
    WEBHOOKS,
    "/apis/monitoring.coreos.com/v1/servicemonitors",
    "/apis/cert-manager.io/v1/certificates",
    "/apis/cert-manager.io/v1/issuers",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/coordination.k8s.io/v1/leases",
    *(f"/api/v1/{plural}" for plural in _CORE),
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    REQUESTS,
)
"""Where objects of ours can be, those first that make others; not every cluster has all of them."""


CHART, CHART_NAME = "helm.sh/chart", "apisnoop-"
HOOK = "helm.sh/hook"


def is_removable(metadata: Metadata) -> bool:
    """Tell whether an object is one of the chart's, or was made by one.

    Others may call their programs apisnoop, too; so one label is not enough.
    """
    labels = metadata.labels or {}
    of_the_chart = labels.get(PART_OF) == OURS and labels.get(CHART, "").startswith(CHART_NAME)
    return of_the_chart or is_test(metadata)


def is_test(metadata: Metadata) -> bool:
    """Tell whether an object is one of `helm test`, which leaves its pod behind.

    That has no label part-of, for the agents leave alone what has.
    """
    labels = metadata.labels or {}
    ours = (labels.get(NAME), labels.get(COMPONENT)) == (OURS, TEST)
    return ours and (metadata.annotations or {}).get(HOOK) == "test"


EVERYWHERE = {
    "ConfigMap": frozenset({"kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"}),
    "ServiceAccount": frozenset({"default"}),
}
"""What clusters put into every namespace."""
PASSING = frozenset({"Event", "Endpoints"})
"""Kinds of objects that come and go with others."""


def is_foreign(kind: str, metadata: Metadata, outside: Container[str]) -> bool:
    """Tell whether an object in a namespace that we have made is somebody else's, and would be missed.

    What has an owner in the namespace goes with it, and the owner is looked at, too; `outside` are the kinds of objects
    that are in none.
    """
    if any(one.kind not in outside for one in metadata.owner_references or ()):
        return False
    if metadata.deletion_timestamp or kind in PASSING or is_test(metadata):
        return False
    return metadata.name not in EVERYWHERE.get(kind, ()) and (metadata.labels or {}).get(PART_OF) != OURS


@dataclass(frozen=True, slots=True)
class Carriers:
    """Pods that were changed when they were made; they go on, and are as they were when they are made anew."""

    waiting: tuple[str, ...]
    """namespace/name of those with our init container."""
    bundled: dict[str, tuple[str, ...]]
    """By namespace, names of those that mount the bundle, and cannot start again without it."""


def carriers(pods: Iterable[Pod]) -> Carriers:
    """Find pods that still carry something of ours."""
    waiting, bundled = [], dict[str, tuple[str, ...]]()
    for pod in pods:
        if pod.is_over:
            continue
        if any(one.name in INIT_CONTAINERS for one in pod.spec.init_containers or ()):
            waiting.append(pod.key)
        if BUNDLE in config_maps(pod):
            place = pod.metadata.namespace
            bundled[place] = (*bundled.get(place, ()), pod.metadata.name)
    return Carriers(tuple(waiting), bundled)


def config_maps(pod: Pod) -> Iterator[str]:
    """Name the ConfigMaps that a pod mounts."""
    for volume in pod.spec.volumes or ():
        if volume.config_map:
            yield volume.config_map.name
        for source in (volume.projected.sources or ()) if volume.projected else ():
            if source.config_map:
                yield source.config_map.name


def object_path(collection: str, namespace: str, name: str) -> str:
    """Give the path of an object of a collection of all namespaces."""
    if not namespace:
        return f"{collection}/{name}"
    group, _, plural = collection.rpartition("/")
    return f"{group}/namespaces/{namespace}/{plural}/{name}"
