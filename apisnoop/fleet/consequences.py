"""What follows from a mark for the pods below the object that it is on."""

from collections.abc import Iterable
from dataclasses import dataclass

from apisnoop.fleet.kinds import NAMESPACE, Kind
from apisnoop.fleet.objects import Pod
from apisnoop.fleet.wishes import Wishes
from apisnoop.node.wanted import Metadata


@dataclass(frozen=True, slots=True)
class Consequences:
    """Pods below an object, each with the reason."""

    recorded: tuple[tuple[str, str], ...]
    """(namespace/name, why) of those that are asked for now."""
    others: tuple[tuple[str, str], ...]
    """Of those that are not."""


def consequences(
    kind: Kind, metadata: Metadata, pods: Iterable[Pod], wishes: Wishes, now: float, longest: float | None = None
) -> Consequences:
    """Tell which pods below an object are asked for, as everything stands."""
    recorded: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for pod in pods:
        if pod.is_over or not _concerns(kind, metadata, pod, wishes):
            continue
        wish = wishes.of(pod, now, longest)
        if wish.yes and pod.spec.host_network:
            others.append((pod.key, "it is on its node's network, where pods cannot be told apart"))
        else:
            (recorded if wish.yes else others).append((pod.key, wish.why))
    return Consequences(tuple(recorded), tuple(others))


def _concerns(kind: Kind, metadata: Metadata, pod: Pod, wishes: Wishes) -> bool:
    if kind is NAMESPACE:
        return pod.metadata.namespace == metadata.name
    return wishes.is_below(pod, metadata.uid)
