"""How an installation is: every node and every pod that is recorded or asked for, with the reason for each state.

A node that does not answer is shown as missing: nothing is concluded about its pods but that they are asked for.
"""

from collections.abc import Iterable, Iterator

import msgspec

from apisnoop.fleet.facts import Answer, Facts, is_draining, release_of
from apisnoop.fleet.images import MissingImage, missing_images
from apisnoop.fleet.objects import Pod
from apisnoop.fleet.own_authority import has_signed, obstacle
from apisnoop.node.status import INTERCEPTING, AgentPod, AgentStatus, ProxyPod
from apisnoop.node.wanted import Wanted

NO_AGENT, STARTING, NO_ANSWER, NO_PROXY, SHED, WELL = "no agent", "not ready", "no answer", "no proxy", "shed", "well"
UNNOTICED, MISSING = "unnoticed", "missing"
"""States of a pod that no agent tells."""
NOT_TRUSTED = "CertificateNotAccepted"
"""The agent's code for a pod whose ca.crt does not accept the certificate."""
LAG = 0.25
"""Seconds above which connections go past the proxy."""


class NodeState(msgspec.Struct, frozen=True):
    """One node."""

    name: str
    state: str
    why: str = ""
    agent: str = ""
    """The pod on it, as namespace/name."""
    version: str = ""
    proxy_version: str = ""
    lag: float | None = None
    recorded: int = 0
    """Pods."""
    asked: int | None = None
    """Pods that are asked for."""
    losses: int = 0
    certificate_ends: str | None = None


class PodState(msgspec.Struct, frozen=True):
    """One pod."""

    namespace: str
    name: str
    uid: str
    node: str
    wanted: bool | None
    state: str
    why: str = ""
    since: str | None = None
    until: str | None = None
    calls: int | None = None
    connections: int | None = None
    existing: int = 0
    """Connections opened before it was recorded, which are not seen."""
    unseen: dict[str, int] = {}
    """Connections that could not be read, by reason."""
    recorded_since: str | None = None
    """When the first of its recordings began that the proxy has totals of."""
    gaps: int = 0
    """Between these: times in which it was not recorded although it was asked for."""
    missed: float = 0.0
    """Seconds of all gaps."""
    last_gap: str | None = None
    """When the last gap began."""
    gap_reason: str = ""
    """Why."""

    @property
    def not_seen(self) -> int:
        """Count what is open or was made and is not in the record."""
        return self.existing + sum(self.unseen.values())


class Certificate(msgspec.Struct, frozen=True):
    """Whether pods accept us, as the certificate's Job has found."""

    mode: str = ""
    signer: str = ""
    reason: str = ""
    not_after: str = ""
    renew_at: str = ""
    then: str = ""
    """The command that mends what the reason tells of."""


class Status(msgspec.Struct, frozen=True):
    """All of it."""

    version: str
    """Of this program."""
    namespace: str
    release: str
    installed: bool
    draining: bool
    certificate: Certificate | None
    """None: it may not be read, or nothing is installed."""
    nodes: tuple[NodeState, ...]
    pods: tuple[PodState, ...]
    images: tuple[MissingImage, ...] = ()
    """What nodes cannot pull."""
    unreadable: tuple[str, ...] = ()


def status_of(facts: Facts) -> Status:
    """Put together how an installation is."""
    daemon_set = facts.daemon_set
    pods = tuple(sorted(_pods(facts), key=lambda one: (one.namespace, one.name)))
    return Status(
        facts.version,
        daemon_set.metadata.namespace if daemon_set else "",
        release_of(daemon_set.metadata) if daemon_set else "",
        installed=daemon_set is not None,
        draining=daemon_set is not None and is_draining(daemon_set),
        certificate=certificate_of(facts),
        nodes=tuple(sorted(_nodes(facts, pods), key=lambda one: one.name)),
        pods=pods,
        images=missing_images(facts.ours, facts.pods or ()),
        unreadable=facts.unreadable,
    )


def certificate_of(facts: Facts) -> Certificate | None:
    """Read the verdict of the certificate's Job; all empty as long as there is none, None where it may not be read."""
    if facts.verdict is None:
        return None
    keys = ("mode", "signer", "reason", "not-after", "renew-at", "then")
    return Certificate(*(facts.verdict.data.get(key, "") for key in keys))


def agents_by_node(agents: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Give the agents of each node, the one that counts first: during an update there are two."""
    found: dict[str, list[Pod]] = {}
    for pod in agents:
        if pod.spec.node_name and not pod.is_over:
            found.setdefault(pod.spec.node_name, []).append(pod)
    for pods in found.values():
        pods.sort(key=_precedence, reverse=True)
    return found


def agents_that_may_answer(agents: Iterable[Pod]) -> list[Pod]:
    """List all that run or have run; on a node where none has, the one that counts (`agents_by_node`)."""
    found = []
    for pods in agents_by_node(agents).values():
        found += [pod for pod in pods if pod.has_started] or pods[:1]
    return found


def _precedence(pod: Pod) -> tuple[bool, bool, bool, str]:
    return pod.metadata.deletion_timestamp is None, pod.is_ready, pod.has_started, pod.metadata.creation_timestamp or ""


# -- nodes ---------------------------------------------------------------------------------------------------------


def _nodes(facts: Facts, pods: tuple[PodState, ...]) -> Iterator[NodeState]:
    agents = agents_by_node(facts.agents)
    names = {node.metadata.name for node in facts.nodes or ()} | agents.keys()
    down = {node.metadata.name for node in facts.nodes or () if not node.is_ready}
    for name in names:
        asked = sum(1 for pod in pods if pod.node == name and pod.wanted)
        here = agents.get(name, [])
        if not here:
            yield NodeState(name, NO_AGENT, _why_no_agent(facts), asked=asked)
            continue
        found = _node(name, here[0], facts.answers.get(here[0].metadata.uid, Answer()), asked)
        silent = not found.version and name in down
        yield msgspec.structs.replace(found, state=NO_ANSWER, why="the node is not ready") if silent else found


def _node(name: str, agent: Pod, answer: Answer, asked: int) -> NodeState:
    known = NodeState(name, WELL, agent=agent.key, asked=asked)
    if answer.agent is None:
        started = agent.is_ready
        why = answer.trouble if started else why_not_ready(agent) or answer.trouble
        return msgspec.structs.replace(known, state=NO_ANSWER if started else STARTING, why=why)
    told = answer.agent
    state, why = _well(told, answer)
    return msgspec.structs.replace(
        known,
        state=state,
        why=why,
        version=told.version,
        proxy_version=answer.proxy.version if answer.proxy else "",
        lag=told.proxy.lag if told.proxy.connected else None,
        recorded=sum(1 for pod in told.pods if pod.state == INTERCEPTING),
        losses=answer.proxy.losses if answer.proxy else 0,
        certificate_ends=told.certificate.not_after if told.certificate else None,
    )


def _well(told: AgentStatus, answer: Answer) -> tuple[str, str]:
    if not told.proxy.connected:
        return NO_PROXY, "the proxy is not connected to the agent: new connections go to the API directly"
    if answer.proxy is None:
        return NO_ANSWER, answer.trouble
    if answer.proxy.trouble:
        return WELL, f"what is recorded cannot be kept: {answer.proxy.trouble}"
    if told.proxy.lag > LAG:
        return SHED, f"the proxy is {told.proxy.lag:.2f} s late: new connections go to the API directly"
    return WELL, ""


def _why_no_agent(facts: Facts) -> str:
    if facts.daemon_set is None:
        return "apisnoop is not installed"
    if is_draining(facts.daemon_set):
        return "the DaemonSet was told to let go of everything"
    return "the DaemonSet has no pod here: see its nodeSelector, affinity and tolerations"


def why_not_ready(pod: Pod) -> str:
    """Say why a pod is not ready, in the kubelet's or the scheduler's words."""
    for status in (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())):
        if status.ready:
            continue
        waiting, ended = status.state.waiting, status.state.terminated or status.last_state.terminated
        if waiting and waiting.reason and waiting.reason not in {"ContainerCreating", "PodInitializing"}:
            last = ended.message.strip() if ended else ""
            words = last.splitlines()[-1] if last else waiting.message
            return f"container {status.name}: {waiting.reason}" + (f": {words}" if words else "")
        if ended:
            return f"container {status.name} ended with {ended.exit_code}: {ended.message.strip() or ended.reason}"
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{condition.reason}: {condition.message}"
    unready = [one.name for one in pod.status.container_statuses or () if not one.ready]
    return f"container {', '.join(unready)} is not ready yet" if unready else f"it is {pod.status.phase or 'unknown'}"


# -- pods ----------------------------------------------------------------------------------------------------------


def _pods(facts: Facts) -> Iterator[PodState]:
    told = dict(_told(facts))
    for pod in facts.pods or ():
        if pod.is_over:
            continue
        wish = facts.wishes.of(pod, facts.now, facts.longest)
        answer = told.pop(pod.metadata.uid, None)
        if answer is not None:
            known = _pod(*answer, wanted=wish.yes, wish=wish)
            foreign = wish.yes and answer[1].reason == NOT_TRUSTED and has_signed(facts.verdict)
            missing = obstacle(pod, facts.wishes) if foreign else ""
            yield msgspec.structs.replace(known, why=missing) if missing else known
        elif wish.yes:
            yield _untold(pod, wish, facts)
    if facts.pods is None:
        for node, agent, proxy in told.values():
            yield _pod(node, agent, proxy, wanted=None)


def _told(facts: Facts) -> Iterator[tuple[str, tuple[str, AgentPod, ProxyPod | None]]]:
    """Give what nodes have said of each pod, by its UID."""
    for node, agents in agents_by_node(facts.agents).items():
        answer = facts.answers.get(agents[0].metadata.uid)
        if answer is None or answer.agent is None:
            continue
        seen = {one.uid: one for one in answer.proxy.pods} if answer.proxy else {}
        for pod in answer.agent.pods:
            yield pod.uid, (node, pod, seen.get(pod.uid))


def _pod(
    node: str, agent: AgentPod, proxy: ProxyPod | None, *, wanted: bool | None, wish: Wanted | None = None
) -> PodState:
    return PodState(
        agent.namespace,
        agent.name,
        agent.uid,
        node,
        wanted,
        agent.state,
        agent.why or (wish.why if wish else ""),
        agent.since,
        agent.until,
        calls=proxy.calls if proxy else None,
        connections=proxy.connections if proxy else None,
        existing=agent.existing,
        unseen=proxy.unseen if proxy else {},
        recorded_since=proxy.since if proxy else None,
        gaps=proxy.gaps if proxy else 0,
        missed=proxy.missed if proxy else 0.0,
        last_gap=proxy.last_gap if proxy else None,
        gap_reason=proxy.gap_reason if proxy else "",
    )


def _untold(pod: Pod, wish: Wanted, facts: Facts) -> PodState:
    """Say of a pod that is asked for what it can be when no node has spoken of it."""
    node = pod.spec.node_name
    agents = agents_by_node(facts.agents).get(node, [])
    if not node:
        state, why = UNNOTICED, "it is on no node yet"
    elif not agents:
        state, why = MISSING, f"there is no agent on node {node}"
    elif (answer := facts.answers.get(agents[0].metadata.uid)) is None or answer.agent is None:
        state, why = MISSING, f"node {node} does not answer"
    else:
        state, why = UNNOTICED, f"the agent has not noticed it ({wish.why})"
    metadata = pod.metadata
    return PodState(metadata.namespace, metadata.name, metadata.uid, node, True, state, why)
