"""What the agent knows of one pod of its node, read from the API server's JSON, and why some are left alone."""

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.node.wanted import (
    INJECTED,
    PART_OF,
    REDIRECT_CONTAINER,
    WAIT_CONTAINER,
    Marks,
    Metadata,
    OwnerReference,
    read_marks,
)
from apisnoop_tproxy.pod_state import Cause, Code

_COMPONENT = "app.kubernetes.io/component"
_MIRROR = "kubernetes.io/config.mirror"
_RUNNING = "Running"
_ENDED = frozenset({"Succeeded", "Failed"})


class _Address(msgspec.Struct, frozen=True):
    ip: str = ""


class _Terminated(msgspec.Struct, frozen=True):
    message: str = ""


class _ContainerState(msgspec.Struct, frozen=True):
    terminated: _Terminated | None = None


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    container_id: str = msgspec.field(name="containerID", default="")
    state: _ContainerState | None = None


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    pod_ips: list[_Address] | None = msgspec.field(name="podIPs", default=None)
    container_statuses: list[_Container] | None = None
    init_container_statuses: list[_Container] | None = None
    ephemeral_container_statuses: list[_Container] | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    host_network: bool = False
    runtime_class_name: str = ""
    service_account_name: str = ""
    init_containers: list[_Named] | None = None
    containers: list[_Named] | None = None
    ephemeral_containers: list[_Named] | None = None


class Pod(msgspec.Struct, frozen=True):
    """A pod (core/v1), as far as we read it."""

    metadata: Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


class PodFacts(msgspec.Struct, frozen=True):
    """One pod. Nothing of its JSON is kept beside this."""

    uid: str
    namespace: str
    name: str
    marks: Marks
    owner: OwnerReference | None = None
    service_account: str = ""
    addresses: frozenset[str] = frozenset()
    containers: dict[str, str] = {}
    """Name by the runtime's ID."""
    ended: bool = False
    """Nothing of it runs any more."""
    running: bool = False
    """Its containers, none of which is an init container, have started."""
    starting: bool = False
    """It waits for us before its containers start."""
    component: str = ""
    """Which part of apisnoop it is, if it is one."""
    unfit: Cause | None = None
    """Why it can never be recorded, whatever is wanted."""
    prepared: str | None = None
    """Mode init: None if no init container of ours was there to prepare it; else why it could not, or empty."""
    only_container: str = ""
    """The one that all its connections are of; empty if it has several."""


def read_pod(pod: Pod) -> PodFacts:
    """Keep what matters of a pod."""
    metadata, spec, status = pod.metadata, pod.spec, pod.status
    annotations, labels = metadata.annotations or {}, metadata.labels or {}
    found = [
        *(status.container_statuses or ()),
        *(status.init_container_statuses or ()),
        *(status.ephemeral_container_statuses or ()),
    ]
    return PodFacts(
        uid=metadata.uid,
        namespace=metadata.namespace,
        name=metadata.name,
        marks=read_marks("pod", metadata),
        owner=next((one for one in metadata.owner_references or () if one.controller), None),
        service_account=f"{metadata.namespace}/{spec.service_account_name}" if spec.service_account_name else "",
        addresses=frozenset(one.ip for one in status.pod_ips or () if one.ip),
        containers={one.container_id.rpartition("//")[2]: one.name for one in found if one.container_id},
        ended=status.phase in _ENDED,
        running=status.phase == _RUNNING,
        starting=INJECTED in annotations and _is_starting(status),
        component=labels.get(_COMPONENT, "") if labels.get(PART_OF) == "apisnoop" else "",
        unfit=_unfit(metadata, spec),
        prepared=_prepared(spec, status),
        only_container=_only_container(spec),
    )


def caller_of(pod: PodFacts, workload: str, node: str) -> Caller:
    """Return who calls, as far as the pod tells."""
    return Caller(
        node=node,
        namespace=pod.namespace,
        pod=pod.name,
        pod_uid=pod.uid,
        workload=workload,
        service_account=pod.service_account,
    )


def _is_starting(status: _Status) -> bool:
    """Tell whether the injected init container, which is the first, may still ask; also after the node was rebooted."""
    ours = next((one for one in status.init_container_statuses or () if one.name == WAIT_CONTAINER), None)
    if ours is None or ours.state is None:
        return status.phase == "Pending"
    return ours.state.terminated is None


def _prepared(spec: _Spec, status: _Status) -> str | None:
    if all(one.name != REDIRECT_CONTAINER for one in spec.init_containers or ()):
        return None
    ours = next((one for one in status.init_container_statuses or () if one.name == REDIRECT_CONTAINER), None)
    if ours is None or ours.state is None or ours.state.terminated is None:
        return ""
    return " ".join(ours.state.terminated.message.split())


def _only_container(spec: _Spec) -> str:
    """Name the only container besides ours. Those of the specification: what is about to start counts, too."""
    found = [*(spec.init_containers or ()), *(spec.containers or ()), *(spec.ephemeral_containers or ())]
    names = {one.name for one in found} - {WAIT_CONTAINER, REDIRECT_CONTAINER}
    return names.pop() if len(names) == 1 else ""


def _unfit(metadata: Metadata, spec: _Spec) -> Cause | None:
    if (metadata.labels or {}).get(PART_OF) == "apisnoop":
        return Cause(Code.OWN_POD, "it is a part of apisnoop")
    if _MIRROR in (metadata.annotations or {}):
        return Cause(Code.STATIC_POD, "it is a static pod (mirror pod), which the API server does not control")
    if spec.host_network:
        return Cause(
            Code.HOST_NETWORK, "it uses the node's network (hostNetwork), where a rule would meet other pods, too"
        )
    if any(word in spec.runtime_class_name.lower() for word in ("gvisor", "kata", "runsc")):
        why = f"its runtime class {spec.runtime_class_name} has a network stack of its own that no rule reaches"
        return Cause(Code.SANDBOXED, why)
    return None
