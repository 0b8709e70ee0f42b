"""What other releases know of a resource that this catalogue lacks: removed when, replaced by what, or not yet there.

Two sources: the removals that Kubernetes announced (https://kubernetes.io/docs/reference/using-api/deprecation-guide/
and the lifecycle that its API types declare), and the catalogues of the other releases inside the package.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from apisnoop.operations.shipped import operation_of, release_key, shipped


class Removal(NamedTuple):
    """The first release without something, and what took its place."""

    release: str
    replacement: str = ""
    """Empty where none is known."""
    last: str = ""
    """The last release known to have it, where the first one without it is only the next known; else empty."""


class Coordinates(NamedTuple):
    """What a path is about. An empty resource stands for the whole version."""

    group: str
    version: str
    resource: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        group_version = f"{self.group}/{self.version}" if self.group else self.version
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{resource} of {group_version}" if resource else group_version


def _removals(group: str, version: str, removed: dict[str, tuple[str, str]]) -> dict[Coordinates, Removal]:
    return {
        Coordinates(group, version, resource): Removal(release, replacement)
        for resources, (release, replacement) in removed.items()
        for resource in resources.split()
    }


REMOVALS: Mapping[Coordinates, Removal] = {
    **_removals("admissionregistration.k8s.io", "v1beta1", {
        "mutatingwebhookconfigurations validatingwebhookconfigurations": ("1.22", "admissionregistration.k8s.io/v1"),
        "validatingadmissionpolicies validatingadmissionpolicybindings": ("1.34", "admissionregistration.k8s.io/v1"),
    }),
    **_removals("admissionregistration.k8s.io", "v1alpha1", {
        "validatingadmissionpolicies validatingadmissionpolicybindings": ("1.32", "admissionregistration.k8s.io/v1"),
    }),
    **_removals("apiextensions.k8s.io", "v1beta1", {"customresourcedefinitions": ("1.22", "apiextensions.k8s.io/v1")}),
    **_removals("apiregistration.k8s.io", "v1beta1", {"apiservices": ("1.22", "apiregistration.k8s.io/v1")}),
    **_removals("apps", "v1beta1", {"controllerrevisions deployments statefulsets": ("1.16", "apps/v1")}),
    **_removals("apps", "v1beta2", {
        "controllerrevisions daemonsets deployments replicasets statefulsets": ("1.16", "apps/v1"),
    }),
    **_removals("authentication.k8s.io", "v1alpha1", {"selfsubjectreviews": ("1.32", "authentication.k8s.io/v1")}),
    **_removals("authentication.k8s.io", "v1beta1", {
        "tokenreviews": ("1.22", "authentication.k8s.io/v1"),
        "selfsubjectreviews": ("1.33", "authentication.k8s.io/v1"),
    }),
    **_removals("authorization.k8s.io", "v1beta1", {
        "localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews":
            ("1.22", "authorization.k8s.io/v1"),
    }),
    **_removals("autoscaling", "v2beta1", {"horizontalpodautoscalers": ("1.25", "autoscaling/v2")}),
    **_removals("autoscaling", "v2beta2", {"horizontalpodautoscalers": ("1.26", "autoscaling/v2")}),
    **_removals("batch", "v1beta1", {"cronjobs": ("1.25", "batch/v1")}),
    **_removals("certificates.k8s.io", "v1beta1", {"certificatesigningrequests": ("1.22", "certificates.k8s.io/v1")}),
    **_removals("coordination.k8s.io", "v1beta1", {"leases": ("1.22", "coordination.k8s.io/v1")}),
    **_removals("discovery.k8s.io", "v1beta1", {"endpointslices": ("1.25", "discovery.k8s.io/v1")}),
    **_removals("events.k8s.io", "v1beta1", {"events": ("1.25", "events.k8s.io/v1")}),
    **_removals("extensions", "v1beta1", {
        "daemonsets deployments replicasets": ("1.16", "apps/v1"),
        "networkpolicies": ("1.16", "networking.k8s.io/v1"),
        "podsecuritypolicies": ("1.16", "Pod Security Admission (policy/v1beta1 is gone, too)"),
        "ingresses": ("1.22", "networking.k8s.io/v1"),
    }),
    **_removals("flowcontrol.apiserver.k8s.io", "v1beta1", {
        "flowschemas prioritylevelconfigurations": ("1.26", "flowcontrol.apiserver.k8s.io/v1"),
    }),
    **_removals("flowcontrol.apiserver.k8s.io", "v1beta2", {
        "flowschemas prioritylevelconfigurations": ("1.29", "flowcontrol.apiserver.k8s.io/v1"),
    }),
    **_removals("flowcontrol.apiserver.k8s.io", "v1beta3", {
        "flowschemas prioritylevelconfigurations": ("1.32", "flowcontrol.apiserver.k8s.io/v1"),
    }),
    **_removals("networking.k8s.io", "v1beta1", {"ingresses ingressclasses": ("1.22", "networking.k8s.io/v1")}),
    **_removals("node.k8s.io", "v1beta1", {"runtimeclasses": ("1.25", "node.k8s.io/v1")}),
    **_removals("policy", "v1beta1", {
        "poddisruptionbudgets": ("1.25", "policy/v1"),
        "podsecuritypolicies": ("1.25", "Pod Security Admission"),
    }),
    **_removals("rbac.authorization.k8s.io", "v1beta1", {
        "clusterrolebindings clusterroles rolebindings roles": ("1.22", "rbac.authorization.k8s.io/v1"),
    }),
    **_removals("scheduling.k8s.io", "v1beta1", {"priorityclasses": ("1.22", "scheduling.k8s.io/v1")}),
    **_removals("storage.k8s.io", "v1alpha1", {
        "csistoragecapacities volumeattachments": ("1.24", "storage.k8s.io/v1"),
        "volumeattributesclasses": ("1.35", "storage.k8s.io/v1"),
    }),
    **_removals("storage.k8s.io", "v1beta1", {
        "csidrivers csinodes storageclasses volumeattachments": ("1.22", "storage.k8s.io/v1"),
        "csistoragecapacities": ("1.27", "storage.k8s.io/v1"),
    }),
}  # fmt: skip
"""Removals as announced, by resource."""


def removal_of(wanted: Coordinates, release: str) -> Removal | None:
    """Tell when something was removed, if it was by a release (an empty one stands for any)."""
    announced = _announced(wanted)
    if announced is not None:
        gone = not release or release_key(announced.release) <= release_key(release)
        return announced if gone else None
    known = releases_with(wanted)
    if not known or not release or release_key(known[-1]) >= release_key(release):
        return None
    first_without = next(name for name in shipped().releases if release_key(name) > release_key(known[-1]))
    return Removal(first_without, last=known[-1])


def releases_with(wanted: Coordinates) -> tuple[str, ...]:
    """Give the releases inside the package that have something, oldest first."""
    return _history().get(wanted, ())


def _announced(wanted: Coordinates) -> Removal | None:
    if wanted.resource:
        return REMOVALS.get(wanted._replace(subresource=""))
    whole = [REMOVALS[key] for key in REMOVALS if (key.group, key.version) == (wanted.group, wanted.version)]
    if not whole:
        return None
    last = max(whole, key=lambda removal: release_key(removal.release))
    # A version goes when the last of its resources does, unless others have come since (storage.k8s.io/v1beta1).
    since = any(release_key(known) >= release_key(last.release) for known in releases_with(wanted))
    return None if since else last


@cache
def _history() -> dict[Coordinates, tuple[str, ...]]:
    """Give for everything in any shipped catalogue the releases that have it, oldest first."""
    known = shipped()
    masks: dict[Coordinates, int] = {}
    for row in known.rows:
        operation = operation_of(row)
        wanted = Coordinates(operation.group, operation.version, operation.resource, operation.subresource)
        for key in {wanted, Coordinates(wanted.group, wanted.version)}:
            masks[key] = masks.get(key, 0) | row.releases
    return {key: tuple(known.releases_in(mask)) for key, mask in masks.items()}
