"""What our own authority means for pods: those that were made before they were asked for never accept its certificate.

The webhook gives a pod the bundle with our authority when the pod is made, and no pod's volumes can be changed later.
"""

from apisnoop.fleet.objects import ConfigMap, Pod
from apisnoop.fleet.remains import BUNDLE, config_maps
from apisnoop.fleet.wishes import Wishes
from apisnoop.trust_mode import Mode

RESTARTED = frozenset({"deployment", "statefulset", "daemonset"})
"""Kinds whose pods kubectl makes anew."""


def has_signed(verdict: ConfigMap | None) -> bool:
    """Tell whether our own authority has signed the certificate."""
    return verdict is not None and verdict.data.get("mode") == Mode.OWN_CA


def obstacle(pod: Pod, wishes: Wishes) -> str:
    """Say what has to be done before a pod can be recorded; empty if it has the bundle."""
    if BUNDLE in config_maps(pod):
        return ""
    said = "own authority: takes effect when the pod is made anew"
    for one in wishes.owners_of(pod.metadata):
        kind, _, name = one.source.partition(" ")
        if kind in RESTARTED:
            return f"{said}: kubectl rollout restart {kind}/{name} -n {pod.metadata.namespace}"
    return said
