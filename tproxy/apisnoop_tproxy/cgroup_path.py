"""Reading /proc/PID/cgroup: which pod and which container a process belongs to.

Pure. Knows the paths that the kubelet's two cgroup drivers and containerd, CRI-O, Docker and k3s make, on cgroup v1,
v2 and both at once. Anything else belongs to no pod.
"""

import re

import msgspec

_UID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}"
# kubepods/burstable/podUID, kubepods-burstable-podUID.slice, and `:cri-containerd:ID` where the kubelet thinks in
# slices and containerd does not.
_POD = re.compile(rf"(?:^|[/-])pod(?P<uid>{_UID})(?:\.slice)?(?=[/:]|$)")
# Monitors such as crio-conmon-ID.scope are no containers.
_CONTAINER = re.compile(
    r"^(?:/|:)(?:(?:cri-containerd|crio|docker|libpod)[-:])?(?P<id>[0-9a-f]{64})(?:\.scope)?(?=/|$)"
)


class PodCgroup(msgspec.Struct, frozen=True):
    """Where a process of a pod is."""

    pod_uid: str
    container: str = ""
    """The runtime's ID of the container; empty for processes that are the pod's and no container's."""
    pod_path: str = ""
    """The pod's folder in the unified hierarchy, as /proc shows it; empty if the process is in none there."""


def parse_cgroup(text: str) -> PodCgroup | None:
    """Read the contents of /proc/PID/cgroup (cgroups(7)); None for a process of no pod."""
    found: PodCgroup | None = None
    for line in text.splitlines():
        hierarchy, _, rest = line.partition(":")
        path = rest.partition(":")[2]
        place = parse_path(path)
        if place is None:
            continue
        if hierarchy == "0":
            return (
                place if place.container or found is None else msgspec.structs.replace(found, pod_path=place.pod_path)
            )
        if found is None or (place.container and not found.container):
            found = msgspec.structs.replace(place, pod_path="")
    return found


def parse_path(path: str) -> PodCgroup | None:
    """Read one path of a control group; None for one of no pod."""
    pod = _POD.search(path)
    if pod is None:
        return None
    container = _CONTAINER.match(path[pod.end() :])
    return PodCgroup(
        pod_uid=pod["uid"].replace("_", "-"),
        container=container["id"] if container else "",
        pod_path=path[: pod.end()] if path[pod.end() : pod.end() + 1] != ":" else path.rpartition("/")[0],
    )
