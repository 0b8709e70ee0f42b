"""Everything that was found out about an installation, before anything is concluded from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apisnoop.fleet.objects import (
    AGENT,
    COMPONENT,
    INSTANCE,
    NAME,
    ConfigMap,
    DaemonSet,
    Deployment,
    Job,
    Node,
    Pod,
    Request,
    WebhookConfiguration,
)
from apisnoop.fleet.wishes import NO_WISHES, Wishes
from apisnoop.node.status import AgentStatus, ProxyStatus
from apisnoop.node.wanted import Metadata

SELECTOR = f"{NAME}=apisnoop"
"""Of every object of the chart."""
AGENTS = f"{SELECTOR},{COMPONENT}={AGENT}"
DRAIN = "apisnoop/drain"
"""Selector of nodes, of which none has it: the DaemonSet then ends its pods, each of which lets go of everything."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the pod of one node has answered; what is None did not come, and `trouble` says why."""

    agent: AgentStatus | None = None
    proxy: ProxyStatus | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found; None for what may not be read. What should be there and is not is an empty object."""

    now: float
    version: str
    """Our own."""
    daemon_sets: tuple[DaemonSet, ...] = ()
    agents: tuple[Pod, ...] = ()
    """The DaemonSets' pods."""
    ours: tuple[Pod, ...] = ()
    """All pods of the installation, those of its Jobs included."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """By the UID of the agent's pod."""
    nodes: tuple[Node, ...] | None = None
    pods: tuple[Pod, ...] | None = None
    wishes: Wishes = NO_WISHES
    verdict: ConfigMap | None = None
    webhook: Deployment | None = None
    webhook_configuration: WebhookConfiguration | None = None
    certificate_jobs: tuple[Job, ...] = ()
    requests: tuple[Request, ...] = ()
    """For certificates, ours."""
    unreadable: tuple[str, ...] = ()
    """What may not be read, and why; one line each."""

    @property
    def daemon_set(self) -> DaemonSet | None:
        """Give the one that counts."""
        return self.daemon_sets[0] if self.daemon_sets else None

    @property
    def longest(self) -> float | None:
        """Give the seconds after which every recording ends, as the agents were told."""
        if self.daemon_set is None:
            return None
        for container in self.daemon_set.spec.template.spec.containers:
            for variable in container.env:
                if variable.name == "APISNOOP_LONGEST" and variable.value.isdecimal():
                    return float(variable.value)
        return None


def release_of(metadata: Metadata) -> str:
    """Give the name of the Helm release that an object of the chart belongs to."""
    return (metadata.labels or {}).get(INSTANCE, "")


def is_draining(daemon_set: DaemonSet) -> bool:
    """Tell whether it was told to let go of everything."""
    return DRAIN in (daemon_set.spec.template.spec.node_selector or {})


def is_init_mode(agent: Pod) -> bool:
    """Tell whether the agent of this pod enters no pods, so that only those with our init container are recorded."""
    variables = [variable for container in agent.spec.containers for variable in container.env]
    return any((one.name, one.value) == ("APISNOOP_INTERCEPTION", "init") for one in variables)
