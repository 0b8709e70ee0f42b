"""Own-CA mode: have a pod's volumes project our bundle where they project the cluster's authorities.

Found by what a volume holds, not by its name, which is the service account plugin's business or the user's own choice.
"""

from collections.abc import Iterator

from apisnoop_webhook.patch import Operation, pointer
from apisnoop_webhook.wire import PodSpec

CLUSTER_BUNDLE = "kube-root-ca.crt"
"""The ConfigMap that kube-controller-manager keeps in every namespace."""


def use_bundle(spec: PodSpec, bundle: str) -> list[Operation]:
    """Point each projected source of the cluster's ConfigMap to the ConfigMap `bundle`, which has the same key."""
    return [
        operation
        for path, name in _projected_config_maps(spec)
        if name == CLUSTER_BUNDLE
        for operation in (
            Operation(op="test", path=path, value=CLUSTER_BUNDLE),
            Operation(op="replace", path=path, value=bundle),
        )
    ]


def needs_bundle(spec: PodSpec, bundle: str) -> bool:
    """Whether the pod will project our bundle: `use_bundle` makes it so, or it is a copy of a pod that did."""
    return any(name in {CLUSTER_BUNDLE, bundle} for _, name in _projected_config_maps(spec))


def _projected_config_maps(spec: PodSpec) -> Iterator[tuple[str, str]]:
    for at, volume in enumerate(spec.get("volumes") or []):
        projected = volume.get("projected") or {}
        for number, source in enumerate(projected.get("sources") or []):
            name = (source.get("configMap") or {}).get("name")
            if name:
                yield pointer("spec", "volumes", at, "projected", "sources", number, "configMap", "name"), name
