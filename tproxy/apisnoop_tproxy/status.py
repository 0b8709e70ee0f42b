"""How it stands with the node, as JSON: what `/status` answers and `kubectl apisnoop status` shows. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from cryptography import x509

from apisnoop import __version__
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.pod_control import PodControl
from apisnoop_tproxy.pod_state import Condition


class ProxyStatus(msgspec.Struct, frozen=True):
    """Of the node's proxy."""

    connected: bool
    lag: float
    """Seconds by which its event loop was late, at its last sign of life."""
    heartbeat: str | None
    """When that was."""


class CertificateStatus(msgspec.Struct, frozen=True):
    """Of what pods are shown."""

    not_after: str
    issuer: str


class PodStatus(msgspec.Struct, frozen=True):
    """Of one pod that is, or was just now, to be recorded."""

    namespace: str
    name: str
    uid: str
    state: str
    reason: str
    """Why, as one of few words (`pod_state.Code`)."""
    why: str
    since: str
    until: str | None
    """When it ends by itself."""
    existing: int
    """API connections that go past the proxy although the pod is recorded: they are older than that."""


class Status(msgspec.Struct, frozen=True):
    """Of the node. Times are RFC 3339."""

    node: str
    version: str
    generation: str
    started: str
    proxy: ProxyStatus
    certificate: CertificateStatus | None
    """None: there is none that can be read."""
    leases: int
    """Pods whose new connections are led to the proxy at this moment."""
    pods: list[PodStatus]


def status_of(agent: Agent, chain: bytes, existing: Mapping[str, int]) -> Status:
    """Put it together; `chain` is the certificate (PEM), `existing` what `Agent.count_existing` says."""
    pods = sorted(agent.pods.values(), key=lambda pod: (pod.facts.namespace, pod.facts.name))
    return Status(
        node=agent.node,
        version=__version__,
        generation=agent.generation,
        started=_rfc3339(agent.started),
        proxy=ProxyStatus(
            connected=agent.served,
            lag=round(agent.proxy.lag, 6),
            heartbeat=_rfc3339(agent.proxy.heard) if agent.proxy.heard is not None else None,
        ),
        certificate=read_certificate(chain),
        leases=agent.leases,
        pods=[_pod_status(pod, existing.get(pod.facts.uid, 0)) for pod in pods if pod.state.name is not Condition.OFF],
    )


def read_certificate(chain: bytes) -> CertificateStatus | None:
    """Read the first certificate of a chain (PEM); None if there is none."""
    try:
        leaf = x509.load_pem_x509_certificate(chain)
    except ValueError:
        return None
    return CertificateStatus(_rfc3339(leaf.not_valid_after_utc.timestamp()), leaf.issuer.rfc4514_string())


def _pod_status(pod: PodControl, existing: int) -> PodStatus:
    return PodStatus(
        namespace=pod.facts.namespace,
        name=pod.facts.name,
        uid=pod.facts.uid,
        state=pod.state.name.value,
        reason=pod.state.cause.code.value,
        why=pod.state.why,
        since=_rfc3339(pod.state.since),
        until=_rfc3339(pod.wanted.until) if pod.wanted.until is not None else None,
        existing=existing,
    )


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
