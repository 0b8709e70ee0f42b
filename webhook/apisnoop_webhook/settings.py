"""What whoever installs the webhook decides, and what it finds out while it runs."""

from dataclasses import dataclass, field
from enum import StrEnum

from apisnoop import __version__


class Interception(StrEnum):
    """Who leads a pod's connections to the proxy."""

    AGENT = "agent"
    """The node agent, from outside; our init container only waits for it."""
    INIT = "init"
    """The agent, over the network, by a rule of our init container, which needs NET_ADMIN in the pod."""


class Trust(StrEnum):
    """Whose signature the proxy's certificate carries; the words of the verdict that the certificate's Job leaves."""

    CLUSTER = "csr"
    """The cluster's: pods accept it as they are."""
    OWN = "own-ca"
    """Ours: a pod has to be given our bundle."""
    NONE = "none"
    """There is no certificate, so no pod is intercepted."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What is put into a pod."""

    image: str
    """Of the init container: the one that the node agent runs."""
    pull_policy: str = "IfNotPresent"
    interception: Interception = Interception.AGENT
    wait_limit: int = 30
    """Seconds after which a pod starts although it is not recorded yet."""
    destinations: tuple[str, ...] = ()
    """Further addresses of the API server that pods dial, as IP:PORT; mode init only."""
    user: int | None = 65532
    """User ID of the waiting container. None leaves it to the pod, for clusters that hand out ranges (OpenShift)."""
    sandboxes: frozenset[str] = frozenset({"gvisor", "kata", "kata-qemu", "kata-clh", "kata-fc"})
    """Runtime classes whose network stack is not the node's, so that no rule of ours has an effect there."""
    bundle: str = "apisnoop-root-ca.crt"
    """Name of the ConfigMap with the cluster's authorities and ours; own-CA mode only."""
    version: str = field(default=__version__)


@dataclass(frozen=True, slots=True)
class Situation:
    """How things are at the moment. Until it has been looked at, nothing is injected."""

    trust: Trust = Trust.NONE
    agents_ready: bool = False
    """Whether most nodes have a ready agent. Where one is missing, a pod waits for the limit, no longer."""
