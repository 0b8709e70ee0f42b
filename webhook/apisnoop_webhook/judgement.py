"""Whether a pod gets anything, and what its creator is told if it asked for it and gets nothing. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apisnoop.decoding import convert
from apisnoop.node.wanted import PART_OF, Marks, Metadata, read_marks, wanted
from apisnoop_webhook.settings import Injection, Interception, Situation, Trust
from apisnoop_webhook.wire import AdmissionRequest, Pod

OURS = "apisnoop"
"""What the label PART_OF says on our own pods: what records must not wait to be recorded."""
_SILENT = Marks("namespace")
_MIRROR = "kubernetes.io/config.mirror"
_ENFORCED = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a pod is told by objects other than itself; empty where it was not looked up, for nothing hung on it."""

    owners: Sequence[Marks] = ()
    """Nearest first, e.g. of a ReplicaSet, of a Deployment."""
    namespace: Marks = _SILENT
    enforces: str | None = ""
    """The level of PodSecurity that the namespace enforces; None where it could not be looked up."""
    bundle_missing: str = ""
    """Why the namespace has no bundle of authorities; empty where it has, or need not have one."""


def is_wanted(pod: Pod, surroundings: Surroundings, now: datetime) -> bool:
    """Whether this pod is to be recorded: its own word, else its owners', else its namespace's."""
    marks = read_marks("pod", convert(pod["metadata"], Metadata))
    return wanted(marks, surroundings.owners, surroundings.namespace, now.timestamp()).yes


def enforced_level(namespace: Metadata) -> str:
    """Read the level of PodSecurity that a namespace enforces; empty if it does not say."""
    return (namespace.labels or {}).get(_ENFORCED, "")


def why_not(
    request: AdmissionRequest, surroundings: Surroundings, injection: Injection, situation: Situation
) -> str | None:
    """Say in some words why a wanted pod is left as it is; None if it is not."""
    return next(_obstacles(request, surroundings, injection, situation), None)


def _obstacles(
    request: AdmissionRequest, surroundings: Surroundings, injection: Injection, situation: Situation
) -> Iterator[str]:
    yield from _of_the_pod(request["object"], injection)
    if situation.trust is Trust.NONE:
        yield "there is no certificate that pods accept, see `kubectl apisnoop status`"
    if not situation.agents_ready:
        yield "the node agents are not ready, see `kubectl apisnoop status`"
    if situation.trust is Trust.OWN and surroundings.bundle_missing:
        yield surroundings.bundle_missing
    if injection.interception is Interception.INIT:
        yield from _of_the_namespace(surroundings.enforces)


def _of_the_namespace(enforces: str | None) -> Iterator[str]:
    """A pod with NET_ADMIN would be refused as a whole; better one that is not recorded."""
    if enforces is None:
        yield "its namespace could not be read, which may forbid NET_ADMIN"
    elif enforces in {"baseline", "restricted"}:
        yield f"its namespace enforces PodSecurity {enforces}, which forbids NET_ADMIN"


def _of_the_pod(pod: Pod, injection: Injection) -> Iterator[str]:
    metadata, spec = pod["metadata"], pod["spec"]
    if (metadata.get("labels") or {}).get(PART_OF) == OURS:
        yield "it is part of apisnoop itself"
    if spec.get("hostNetwork"):
        yield "it uses the node's network (hostNetwork)"
    if _MIRROR in (metadata.get("annotations") or {}):
        yield "it is a static pod"
    if spec.get("runtimeClassName") in injection.sandboxes:
        yield f"its runtime class {spec.get('runtimeClassName')} has a network stack of its own"
    system = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get("kubernetes.io/os") or "linux"
    if system != "linux":
        yield f"its operating system is {system}"
