"""Command lines of the control plane: pure functions from what a cluster is to what is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from .pki import KeyPair
from .slot import SERVICE_NETWORK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address
    from pathlib import Path

AUDIT_LOG_MEGABYTES = 100_000
"""When the audit log would be rotated: never, since a reader must find all of it in one file."""

type Signer = Literal["kubelet-serving", "kubelet-client", "kube-apiserver-client", "legacy-unknown"]
"""A signer of CertificateSigningRequests that kube-controller-manager has built in, without its `kubernetes.io/`."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """Where a control plane's parts listen and keep their files."""

    programs: Path
    """Folder with the Kubernetes programs."""
    pki: Path
    state: Path
    etcd_data: Path
    address: IPv4Address
    """Where the API server listens."""
    port: int
    loopback: IPv4Address
    """Where everything listens that only this machine may reach."""
    etcd_port: int
    etcd_peer_port: int
    feature_gates: Mapping[str, bool]

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"

    @property
    def audit_log(self) -> Path:
        return self.state / "audit.log"

    @property
    def audit_policy(self) -> Path:
        return self.state / "audit-policy.yaml"

    def kubeconfig(self, user: str) -> Path:
        """Return where the kubeconfig of a component or of the administrator is."""
        return self.state / f"{user}.kubeconfig"

    @property
    def gates(self) -> list[str]:
        """The feature gates as every component takes them."""
        pairs = ",".join(f"{name}={str(value).lower()}" for name, value in sorted(self.feature_gates.items()))
        return [f"--feature-gates={pairs}"] if pairs else []


def etcd(plane: ControlPlane) -> list[str]:
    """Render etcd's command line: one member that elects itself at once and never waits for a disk."""
    client = f"http://{plane.loopback}:{plane.etcd_port}"
    peer = f"http://{plane.loopback}:{plane.etcd_peer_port}"
    return [
        f"{plane.programs}/etcd",
        "--name=etcd",
        f"--data-dir={plane.etcd_data}",
        "--unsafe-no-fsync",
        "--heartbeat-interval=10",
        "--election-timeout=100",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=etcd={peer}",
        "--log-level=warn",
    ]


def apiserver(plane: ControlPlane) -> list[str]:
    """Render kube-apiserver's command line."""
    pki = plane.pki
    return [
        f"{plane.programs}/kube-apiserver",
        f"--etcd-servers=http://{plane.loopback}:{plane.etcd_port}",
        f"--bind-address={plane.address}",
        f"--advertise-address={plane.address}",
        f"--secure-port={plane.port}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        # How the server vouches for users to aggregated API servers; an authority of its own, as kubeadm has it.
        f"--requestheader-client-ca-file={pki}/front-proxy/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy/client.crt",
        f"--proxy-client-key-file={pki}/front-proxy/client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        # Else exec and logs resolve the node's name, which nobody knows.
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        # Webhooks and aggregated APIs go to endpoints: the host has no kube-proxy and no way to a ClusterIP.
        "--enable-aggregator-routing=true",
        f"--audit-policy-file={plane.audit_policy}",
        f"--audit-log-path={plane.audit_log}",
        "--audit-log-mode=blocking-strict",
        f"--audit-log-maxsize={AUDIT_LOG_MEGABYTES}",
        *plane.gates,
        # Endpoints (of the service `kubernetes`) may not be loopback addresses; without nodes nobody misses them.
        *(["--endpoint-reconciler-type=none"] if plane.address.is_loopback else []),
    ]


def controller_manager(plane: ControlPlane, signers: Mapping[Signer, KeyPair | None] | None = None) -> list[str]:
    """Render kube-controller-manager's command line.

    `signers` name the authorities that sign in place of the cluster's own, None for a signer that is switched off.
    """
    return [
        f"{plane.programs}/kube-controller-manager",
        *_client_flags(plane, "controller-manager"),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={plane.pki}/service-account.key",
        f"--root-ca-file={plane.pki}/ca.crt",
        *_signing_flags(KeyPair.named(plane.pki, "ca"), signers or {}),
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
    ]


def _signing_flags(own: KeyPair, signers: Mapping[Signer, KeyPair | None]) -> list[str]:
    """Name each signer's authority; the flag for all at once goes with none of the others."""
    names: tuple[Signer, ...] = get_args(Signer.__value__)
    chosen = {name: signers.get(name, own) for name in names}
    return [
        f"--cluster-signing-{name}-{part}-file={path}"
        for name, pair in chosen.items()
        if pair
        for part, path in (("cert", pair.certificate), ("key", pair.key))
    ]


def scheduler(plane: ControlPlane) -> list[str]:
    """Render kube-scheduler's command line."""
    return [f"{plane.programs}/kube-scheduler", *_client_flags(plane, "scheduler")]


def _client_flags(plane: ControlPlane, name: str) -> list[str]:
    kubeconfig = plane.kubeconfig(name)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        # At the default 20 requests/s the controllers take four seconds to make themselves service accounts.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
        # Nobody scrapes them, and a fixed port would stop a second cluster.
        "--secure-port=0",
        *plane.gates,
    ]


def audit_policy(*, request_received: bool) -> str:
    """Render an audit policy that logs every request's metadata, with or without the RequestReceived stage."""
    stages = "[]" if request_received else "[RequestReceived]"
    return f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: {stages}\nrules: [{{level: Metadata}}]\n"
