"""What a control plane needs before it starts: ports, certificates, kubeconfigs, the audit policy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from . import control_plane
from .access import write_kubeconfig
from .api import USER
from .control_plane import ControlPlane
from .pki import Authority, write_service_account_key
from .slot import KUBERNETES_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Address
    from pathlib import Path

    from .slot import Slot

ADMINISTRATORS = "system:masters"


def prepare(
    slot: Slot, address: IPv4Address, programs: Path, feature_gates: Mapping[str, bool], *, request_received: bool
) -> ControlPlane:
    """Choose ports and write the files of a control plane whose API server listens on `address`."""
    pki = slot.directory / "pki"
    pki.mkdir()
    plane = ControlPlane(
        programs=programs,
        pki=pki,
        state=slot.directory,
        etcd_data=slot.memory_directory / "etcd",
        address=address,
        port=free_port(address, 6443),
        loopback=slot.loopback,
        etcd_port=free_port(slot.loopback, 2379),
        etcd_peer_port=free_port(slot.loopback, 2380),
        feature_gates=feature_gates,
    )
    slot.memory_directory.mkdir(mode=0o700)
    plane.audit_policy.write_text(control_plane.audit_policy(request_received=request_received))
    plane.audit_log.touch(mode=0o600)
    _write_identities(plane)
    return plane


def free_port(address: IPv4Address, preferred: int) -> int:
    """Return the preferred port of an address that is this cluster's own, or another if somebody listens everywhere."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As the server itself does: connections of an earlier cluster may still linger.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((str(address), port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError(f"no port is free on {address}")


def _write_identities(plane: ControlPlane) -> None:
    """Make the authorities, the server's certificate and one identity per component."""
    front_proxy = plane.pki / "front-proxy"
    front_proxy.mkdir()
    Authority.create(front_proxy).issue("client", user="front-proxy-client")
    authority = Authority.create(plane.pki)
    write_service_account_key(plane.pki / "service-account.key")
    authority.issue("apiserver", user="kube-apiserver", hosts=_server_names(plane))
    authority.issue("kubelet-client", user="kube-apiserver-kubelet-client", groups=[ADMINISTRATORS])
    authority.issue("setup", user=USER, groups=[ADMINISTRATORS])
    write_identity(plane, authority, "admin", "kubernetes-admin", [ADMINISTRATORS])
    write_identity(plane, authority, "controller-manager", "system:kube-controller-manager")
    write_identity(plane, authority, "scheduler", "system:kube-scheduler")


def write_identity(plane: ControlPlane, authority: Authority, name: str, user: str, groups: Sequence[str] = ()) -> None:
    """Sign a client certificate and write the kubeconfig `name` with it."""
    pair = authority.issue(name, user=user, groups=groups)
    fields = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
    write_kubeconfig(plane.kubeconfig(name), plane.url, plane.pki / "ca.crt", fields)


def _server_names(plane: ControlPlane) -> list[str | IPv4Address]:
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    return [*names, "localhost", plane.address, plane.loopback, KUBERNETES_SERVICE]
