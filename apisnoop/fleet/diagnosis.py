"""What is wrong with an installation, in the order in which to mend it, each with the next command.

Pure: from facts to findings. Nothing is found that is only not ideal.
"""

from collections.abc import Iterator

from apisnoop.fleet.certificate_diagnosis import certificate_findings
from apisnoop.fleet.enumeration import some_of
from apisnoop.fleet.facts import Facts, is_draining
from apisnoop.fleet.finding import Finding
from apisnoop.fleet.images import image_finding, missing_images
from apisnoop.fleet.objects import COMPONENT, WEBHOOK, Pod
from apisnoop.fleet.status import (
    MISSING,
    NO_AGENT,
    STARTING,
    UNNOTICED,
    WELL,
    NodeState,
    PodState,
    Status,
    agents_by_node,
    status_of,
    why_not_ready,
)
from apisnoop.fleet.wishes import is_ours
from apisnoop.moments import seconds_of
from apisnoop.node.status import DRAINING, INTERCEPTING
from apisnoop.node.wanted import INJECTED, MARK

OVERLOADED = "overloaded"
"""What an agent's reason has in it when it leaves out a proxy that is late."""
LATELY = 3600.0
"""Seconds for which a gap is news."""
SHOWN = 3
"""Pods that a finding names."""
HURRY = 60.0
"""Seconds that a new pod may take to be recorded before it is called forgotten, and a new agent to be ready."""


def diagnose(facts: Facts) -> list[Finding]:
    """Find what is wrong, the gravest first."""
    if facts.daemon_set is None:
        return [Finding("apisnoop is not installed: no DaemonSet of it was found", "kubectl apisnoop install")]
    status = status_of(facts)
    found = [*map(image_finding, status.images), *_installation(facts), *certificate_findings(facts, status)]
    found += [
        *_nodes(facts, status),
        *_successors(facts, status),
        *_versions(facts, status),
        *_webhook(facts),
        *_pods(facts, status),
        *_gaps(facts, status),
    ]
    return list(dict.fromkeys(found))


def _installation(facts: Facts) -> Iterator[Finding]:
    if len(facts.daemon_sets) > 1:
        places = ", ".join(f"{one.metadata.namespace}/{one.metadata.name}" for one in facts.daemon_sets)
        yield Finding(
            f"apisnoop is installed {len(facts.daemon_sets)} times ({places}): their agents take pods from one another",
            f"kubectl apisnoop uninstall -n {facts.daemon_sets[-1].metadata.namespace}",
        )
    assert facts.daemon_set is not None
    if is_draining(facts.daemon_set):
        yield Finding("an uninstall was begun and not finished: nothing is recorded", "kubectl apisnoop uninstall")
    elif not facts.agents:
        yield Finding(
            f"DaemonSet {facts.daemon_set.metadata.name} has no pods",
            f"kubectl describe daemonset {facts.daemon_set.metadata.name} -n {facts.daemon_set.metadata.namespace}",
        )


def _nodes(facts: Facts, status: Status) -> Iterator[Finding]:
    ready = {node.metadata.name: node.is_ready for node in facts.nodes or ()}
    imageless = {pod for missing in status.images for pod in missing.pods}
    for node in status.nodes:
        if (node.state == WELL and not node.why) or node.agent in imageless:
            continue
        if node.state == NO_AGENT and not node.asked:
            continue  # a node that nobody wants anything of
        if not ready.get(node.name, True):
            yield Finding(
                f"node {node.name} is not ready: what its pods do is unknown", f"kubectl describe node {node.name}"
            )
        elif node.state == NO_AGENT:
            yield Finding(
                f"node {node.name} has no agent, and {node.asked} of its pods should be recorded: {node.why}",
                f"kubectl describe daemonset -n {status.namespace}",
            )
        else:
            yield Finding(f"node {node.name}: {node.state}: {node.why}", _look_at(node))


def _successors(facts: Facts, status: Status) -> Iterator[Finding]:
    """Name agents that do not get ready beside those that serve, which keeps an update from going on."""
    serving = {pods[0].spec.node_name for pods in agents_by_node(facts.agents).values() if pods[0].is_ready}
    imageless = {pod for missing in status.images for pod in missing.pods}
    for pod in facts.agents:
        node, made = pod.spec.node_name, seconds_of(pod.metadata.creation_timestamp or "")
        if pod.is_ready or pod.is_over or pod.metadata.deletion_timestamp or pod.key in imageless:
            continue
        if made is not None and facts.now - made > HURRY and (not node or node in serving):
            place = f"on node {node}, where the one before it goes on" if node else "on no node"
            yield Finding(
                f"agent {pod.key}, {place}, does not get ready: {why_not_ready(pod)}",
                f"kubectl describe pod {pod.metadata.name} -n {pod.metadata.namespace}",
            )


def _look_at(node: NodeState) -> str:
    namespace, _, name = node.agent.partition("/")
    if node.state == STARTING:
        return f"kubectl describe pod {name} -n {namespace}"
    return f"kubectl logs {name} -n {namespace} --all-containers --tail=20"


def _versions(facts: Facts, status: Status) -> Iterator[Finding]:
    found = {version for node in status.nodes for version in (node.version, node.proxy_version) if version}
    others = sorted(found - {facts.version})
    if others:
        yield Finding(
            f"nodes run apisnoop {', '.join(others)}, and this is {facts.version}",
            "kubectl apisnoop install, or use a kubectl-apisnoop of that version",
        )


def _webhook(facts: Facts) -> Iterator[Finding]:
    deployment, configuration = facts.webhook, facts.webhook_configuration
    if deployment is None:
        return
    name, place = deployment.metadata.name, deployment.metadata.namespace
    logs = f"kubectl logs deploy/{name} -n {place} --tail=20"
    if deployment.status.ready_replicas == 0 and deployment.spec.replicas and not _lacks_image(facts):
        yield Finding(
            "no pod of the webhook is ready: the first calls of new pods are missed",
            f"kubectl describe deploy {name} -n {place}",
        )
    if configuration is None:
        return  # it may not be read
    if not configuration.webhooks:
        what = "the webhook's configuration is gone: the API server asks it about no pod"
        yield Finding(what, "kubectl apisnoop install")
    elif any(not one.client_config.ca_bundle for one in configuration.webhooks):
        yield Finding("the webhook's configuration has no caBundle, so the API server cannot ask it", logs)
    else:
        forgotten = [pod.key for pod in facts.pods or () if _was_forgotten(pod, facts)]
        if forgotten:
            yield Finding(
                f"the webhook was not asked about {some_of(forgotten, SHOWN)}, which asked to be recorded when made; "
                "first calls may be missing",
                logs,
            )


def _lacks_image(facts: Facts) -> bool:
    """Tell whether a pod of the webhook waits for its image, which is a finding of its own."""
    webhook = [pod for pod in facts.ours if (pod.metadata.labels or {}).get(COMPONENT) == WEBHOOK]
    return bool(missing_images(webhook))


def _was_forgotten(pod: Pod, facts: Facts) -> bool:
    """Tell whether the API server has not asked about a pod that it should have asked about."""
    metadata, configuration = pod.metadata, facts.webhook_configuration
    marks, labels = metadata.annotations or {}, metadata.labels or {}
    # Whether a mark was there from the beginning is known of the template's only: those have an owner.
    said = (marks | labels if MARK not in marks else marks).get(MARK, "").lower() == "true"
    if not said or INJECTED in marks or pod.is_over or is_ours(metadata) or not metadata.owner_references:
        return False
    made, since = (
        seconds_of(metadata.creation_timestamp or ""),
        seconds_of((configuration.metadata.creation_timestamp or "") if configuration else ""),
    )
    return made is not None and since is not None and made > since + HURRY


def _pods(facts: Facts, status: Status) -> Iterator[Finding]:
    lost = {node.name for node in status.nodes if node.state != WELL}
    made = {pod.metadata.uid: seconds_of(pod.metadata.creation_timestamp or "") for pod in facts.pods or ()}
    for pod in status.pods:
        if pod.state == MISSING and (pod.node in lost or not agents_by_node(facts.agents).get(pod.node)):
            continue  # its node is the finding
        late = facts.now - (made.get(pod.uid) or 0.0) > HURRY
        if pod.wanted and pod.state not in {INTERCEPTING, DRAINING} and (pod.state != UNNOTICED or late):
            what = f"pod {pod.namespace}/{pod.name} is asked for and not recorded: {pod.state}: {pod.why}"
            yield Finding(what, _tell(pod))
        if pod.unseen:
            said = ", ".join(f"{count} {reason}" for reason, count in sorted(pod.unseen.items()))
            yield Finding(f"pod {pod.namespace}/{pod.name} makes connections that cannot be read: {said}", _tell(pod))
    yield from _nonsense(facts)


def _gaps(facts: Facts, status: Status) -> Iterator[Finding]:
    """Name nodes whose proxy was lately too slow for what its pods do."""
    by_node: dict[str, list[PodState]] = {}
    for pod in status.pods:
        began = seconds_of(pod.last_gap or "")
        if OVERLOADED in pod.gap_reason and began is not None and facts.now - began < LATELY:
            by_node.setdefault(pod.node, []).append(pod)
    for node, pods in sorted(by_node.items()):
        what = f"{some_of([f'{pod.namespace}/{pod.name}' for pod in pods], SHOWN)} (the last one: {pods[0].gap_reason})"
        yield Finding(
            f"node {node}: overload has left gaps in the record of {what}",
            "kubectl apisnoop coverage --cluster, which lists them; to give the proxy more: "
            "kubectl apisnoop install --set proxy.resources.requests.cpu=500m",
        )


def _nonsense(facts: Facts) -> Iterator[Finding]:
    """Name marks that cannot be understood, which count as no."""
    for pod in facts.pods or ():
        wish = facts.wishes.of(pod, facts.now, facts.longest)
        if not wish.yes and ("neither true nor false" in wish.why or "is no time" in wish.why):
            yield Finding(wish.why, f"kubectl get pod {pod.metadata.name} -n {pod.metadata.namespace} -o yaml")


def _tell(pod: PodState) -> str:
    return f"kubectl describe pod {pod.name} -n {pod.namespace}"
