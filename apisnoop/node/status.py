"""What agent and proxy of a node answer to `GET /status` on loopback, and what `kubectl apisnoop` reads of it.

Times are RFC 3339. Every field has a default, so that a newer command line reads what an older node says.
"""

import msgspec

AGENT_PORT = 15020
PROXY_PORT = 15021
"""Of loopback in the DaemonSet's pods; reached by port-forward only."""
INTERCEPTING, WAITING, SKIPPED, SHED, DRAINING = "intercepting", "waiting", "skipped", "shed", "draining"
"""States of a pod, as its agent tells them."""


class ProxySeen(msgspec.Struct, frozen=True):
    """What the agent knows of the proxy beside it."""

    connected: bool = False
    lag: float = 0.0
    """Seconds by which its event loop is late."""
    heartbeat: str | None = None


class Leaf(msgspec.Struct, frozen=True):
    """The certificate that pods are shown."""

    not_after: str | None = None
    issuer: str = ""
    mode: str = ""


class AgentPod(msgspec.Struct, frozen=True):
    """One pod of the node that is recorded, or was asked for."""

    namespace: str
    name: str
    uid: str = ""
    state: str = ""
    """One of the states above."""
    why: str = ""
    since: str | None = None
    until: str | None = None
    existing: int = 0
    """Connections to the API opened before, which are not seen."""
    reason: str = ""
    """A code for `why`, the same in every release: CertificateNotAccepted."""


class AgentStatus(msgspec.Struct, frozen=True):
    """`/status` of the agent."""

    node: str = ""
    version: str = ""
    generation: str = ""
    started: str | None = None
    proxy: ProxySeen = ProxySeen()
    certificate: Leaf | None = None
    leases: int = 0
    pods: tuple[AgentPod, ...] = ()


class ProxyPod(msgspec.Struct, frozen=True):
    """One enrolment, as the proxy sees it."""

    namespace: str
    name: str
    uid: str = ""
    calls: int = 0
    """Of all its recordings since the proxy was started."""
    connections: int = 0
    """Open now."""
    unseen: dict[str, int] = {}
    """Connections that could not be read, by reason."""
    since: str | None = None
    """When the first of these recordings began."""
    gaps: int = 0
    """Between them: times in which its calls were wanted and not recorded."""
    missed: float = 0.0
    """Seconds of all of them."""
    last_gap: str | None = None
    """When the last one began."""
    gap_reason: str = ""
    """Why."""


class ProxyStatus(msgspec.Struct, frozen=True):
    """`/status` of the proxy."""

    node: str = ""
    version: str = ""
    pods: tuple[ProxyPod, ...] = ()
    losses: int = 0
    """Connections and calls that could not be counted, since it was started."""
    trouble: str = ""
    """Why what it has recorded cannot be written, if it cannot."""
