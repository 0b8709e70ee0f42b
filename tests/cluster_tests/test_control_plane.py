"""Command lines of the control plane."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from cluster import control_plane
from cluster.control_plane import ControlPlane
from cluster.pki import KeyPair

PLANE = ControlPlane(
    programs=Path("/programs"),
    pki=Path("/pki"),
    state=Path("/state"),
    etcd_data=Path("/etcd"),
    address=IPv4Address("10.89.0.1"),
    port=6443,
    loopback=IPv4Address("127.89.0.1"),
    etcd_port=2379,
    etcd_peer_port=2380,
    feature_gates={},
)


def test_every_request_is_in_the_audit_log_before_its_answer_is_out() -> None:
    """The audit log is what records are compared with: nothing may be dropped, buffered or rotated away."""
    arguments = control_plane.apiserver(PLANE)
    assert "--audit-log-mode=blocking-strict" in arguments
    assert "--audit-log-path=/state/audit.log" in arguments
    policy = yaml.safe_load(control_plane.audit_policy(request_received=False))
    assert policy["rules"] == [{"level": "Metadata"}]


@pytest.mark.parametrize(("wanted", "omitted"), [(False, ["RequestReceived"]), (True, [])])
def test_the_stage_at_a_requests_beginning_is_optional(wanted: bool, omitted: list[str]) -> None:
    """Most readers want one event a request."""
    assert yaml.safe_load(control_plane.audit_policy(request_received=wanted))["omitStages"] == omitted


def test_etcd_listens_where_only_this_machine_can_reach_it() -> None:
    """etcd asks nobody for a certificate, so no pod may reach it."""
    urls = [argument for argument in control_plane.etcd(PLANE) if "://" in argument]
    assert urls
    assert all("http://127.89.0.1:" in url for url in urls)


def test_a_server_on_loopback_publishes_no_endpoints() -> None:
    """Endpoints refuse loopback addresses, and the server would complain every ten seconds."""
    alone = replace(PLANE, address=IPv4Address("127.89.0.1"))
    assert "--endpoint-reconciler-type=none" in control_plane.apiserver(alone)
    assert "--endpoint-reconciler-type=none" not in control_plane.apiserver(PLANE)


@pytest.mark.parametrize("render", [control_plane.apiserver, control_plane.controller_manager, control_plane.scheduler])
def test_feature_gates_reach_every_component(render: object) -> None:
    """A gate that only one component knows does not work."""
    gated = replace(PLANE, feature_gates={"B": False, "A": True})
    assert callable(render)
    assert "--feature-gates=A=true,B=false" in render(gated)
    assert not [argument for argument in render(PLANE) if argument.startswith("--feature-gates")]


def test_the_clusters_own_authority_signs_what_nobody_else_does() -> None:
    """A signer can have a foreign authority or none, and the others are as usual."""
    foreign = KeyPair(Path("/foreign.crt"), Path("/foreign.key"))
    arguments = control_plane.controller_manager(PLANE, {"kubelet-serving": foreign, "legacy-unknown": None})
    assert [argument for argument in arguments if argument.startswith("--cluster-signing")] == [
        "--cluster-signing-kubelet-serving-cert-file=/foreign.crt",
        "--cluster-signing-kubelet-serving-key-file=/foreign.key",
        "--cluster-signing-kubelet-client-cert-file=/pki/ca.crt",
        "--cluster-signing-kubelet-client-key-file=/pki/ca.key",
        "--cluster-signing-kube-apiserver-client-cert-file=/pki/ca.crt",
        "--cluster-signing-kube-apiserver-client-key-file=/pki/ca.key",
    ]
