"""Which pod and container a control group belongs to."""

import pytest

from apisnoop_tproxy.cgroup_path import PodCgroup, parse_cgroup, parse_path

UID = "6b3a1c5e-0d1f-4a57-9d8e-0123456789ab"
SLICE = UID.replace("-", "_")
CONTAINER = "0f" * 32


@pytest.mark.parametrize(
    "path",
    [
        f"/kubepods/burstable/pod{UID}/{CONTAINER}",
        f"/kubepods/pod{UID}/{CONTAINER}",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE}.slice/cri-containerd-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-pod{SLICE}.slice/crio-{CONTAINER}.scope",
        f"/kubepods.slice/kubepods-pod{SLICE}.slice/crio-{CONTAINER}.scope/container",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE}.slice/docker-{CONTAINER}.scope",
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{SLICE}.slice/cri-containerd-{CONTAINER}.scope",
        f"/system.slice/containerd.service/kubepods-burstable-pod{SLICE}.slice:cri-containerd:{CONTAINER}",
        f"/kubepods/burstable/pod{UID}/{CONTAINER}/system.slice/nested.service",
        f"/../../burstable/pod{UID}/{CONTAINER}",
        f"/../../pod{UID}/{CONTAINER}",
        f"/../../kubepods-burstable-pod{SLICE}.slice/cri-containerd-{CONTAINER}.scope",
        f"/../../../kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE}.slice/crio-{CONTAINER}.scope",
    ],
)
def test_a_container_is_recognised(path):
    """Every path form that the kubelet and a runtime make names pod and container."""
    found = parse_path(path)
    assert found is not None
    assert (found.pod_uid, found.container) == (UID, CONTAINER)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/..",
        f"/../{CONTAINER}",
        "/init.scope",
        "/user.slice/user-0.slice",
        f"/docker/{CONTAINER}",
        "/kubepods/besteffort",
    ],
)
def test_what_is_no_pods_is_nobodys(path):
    """Processes of the node belong to no pod."""
    assert parse_path(path) is None


def test_a_monitor_is_no_container():
    """CRI-O's monitor is in the pod's group, but in no container."""
    found = parse_path(f"/kubepods.slice/kubepods-pod{SLICE}.slice/crio-conmon-{CONTAINER}.scope")
    assert found is not None
    assert found.container == ""


def test_hierarchies_are_put_together():
    """On v1 any hierarchy names the container; the pod's folder is that of the unified one, if there is one."""
    path = f"/kubepods/burstable/pod{UID}/{CONTAINER}"
    version1 = f"9:name=systemd:{path}\n8:pids:{path}\n"
    assert parse_cgroup(version1) == PodCgroup(UID, CONTAINER)
    assert parse_cgroup(version1 + "0::/\n") == PodCgroup(UID, CONTAINER)
    assert parse_cgroup(f"{version1}0::{path}\n") == PodCgroup(UID, CONTAINER, f"/kubepods/burstable/pod{UID}")
    assert parse_cgroup(f"0::{path}\n") == PodCgroup(UID, CONTAINER, f"/kubepods/burstable/pod{UID}")
    assert parse_cgroup("9:pids:/\n0::/init.scope\n") is None
    assert parse_cgroup("") is None
