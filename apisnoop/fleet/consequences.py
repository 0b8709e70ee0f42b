"""What follows from a mark for the pods below the object that it is on."""

from collections.abc import Iterable
from dataclasses import dataclass

from apisnoop.fleet.kinds import NAMESPACE, Kind
from apisnoop.fleet.objects import Pod
from apisnoop.fleet.own_authority import obstacle
from apisnoop.fleet.wishes import Wishes
from apisnoop.node.wanted import REDIRECT_CONTAINER, Metadata

_MADE_BEFORE = (
    "it was made before, and mode init records new pods only; its owner's are new after kubectl rollout restart"
)


@dataclass(frozen=True, slots=True)
class Consequences:
    """Pods below an object, each with the reason."""

    recorded: tuple[tuple[str, str], ...]
    """(namespace/name, why) of those that are asked for now."""
    others: tuple[tuple[str, str], ...]
    """Of those that are not."""


def _is_prepared(pod: Pod) -> bool:
    return any(one.name == REDIRECT_CONTAINER for one in pod.spec.init_containers or ())


def consequences(
    kind: Kind,
    metadata: Metadata,
    pods: Iterable[Pod],
    wishes: Wishes,
    now: float,
    *,
    only_prepared: bool = False,
    own_authority: bool = False,
) -> Consequences:
    """Tell which pods below an object are asked for, as everything stands.

    `only_prepared`: mode init, where pods that have no init container of ours cannot be recorded; `own_authority`:
    whether that has signed the certificate.
    """
    recorded: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for pod in pods:
        if pod.is_over or not _concerns(kind, metadata, pod, wishes):
            continue
        wish = wishes.of(pod, now)
        if wish.yes and pod.spec.host_network:
            others.append((pod.key, "it is on its node's network, where pods cannot be told apart"))
        elif wish.yes and only_prepared and not _is_prepared(pod):
            others.append((pod.key, _MADE_BEFORE))
        elif wish.yes and own_authority and (missing := obstacle(pod, wishes)):
            others.append((pod.key, missing))
        else:
            (recorded if wish.yes else others).append((pod.key, wish.why))
    return Consequences(tuple(recorded), tuple(others))


def _concerns(kind: Kind, metadata: Metadata, pod: Pod, wishes: Wishes) -> bool:
    if kind is NAMESPACE:
        return pod.metadata.namespace == metadata.name
    return wishes.is_below(pod, metadata.uid)
