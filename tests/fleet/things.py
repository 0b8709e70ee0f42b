"""Objects of a small cluster: the shop, on two nodes, each with an agent."""

from typing import Any

import msgspec

from apisnoop.fleet.facts import Answer, Facts
from apisnoop.fleet.objects import ConfigMap, DaemonSet, Node, Pod, Thing
from apisnoop.fleet.wishes import Wishes, above_from
from apisnoop.node.status import AgentPod, AgentStatus, Leaf, ProxyPod, ProxySeen, ProxyStatus
from apisnoop.node.wanted import MARK, read_marks

NOW = 1_800_000_000.0
LABELS = {
    "app.kubernetes.io/name": "apisnoop",
    "app.kubernetes.io/instance": "apisnoop",
    "app.kubernetes.io/component": "agent",
    "app.kubernetes.io/part-of": "apisnoop",
}
READY = [{"type": "Ready", "status": "True"}]
ON = {MARK: "true"}


def metadata(name: str, namespace: str = "shop", owner: tuple[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Make metadata; `owner` is a kind and a name, whose UID is its name."""
    references = (
        [{"apiVersion": "v1", "kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}] if owner else []
    )
    return {"name": name, "namespace": namespace, "uid": name, "ownerReferences": references, **more}


def thing(name: str, namespace: str = "shop", owner: tuple[str, str] | None = None, **more: Any) -> Thing:
    """Make an object of which only the metadata is read."""
    return msgspec.convert({"metadata": metadata(name, namespace, owner, **more)}, Thing)


def pod(
    name: str,
    namespace: str = "shop",
    owner: tuple[str, str] | None = None,
    node: str = "n1",
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **more: Any,
) -> Pod:
    """Make a running pod."""
    whole = {
        "metadata": metadata(name, namespace, owner, **more),
        "spec": {"nodeName": node, **(spec or {})},
        "status": {"phase": "Running", "conditions": READY, **(status or {})},
    }
    return msgspec.convert(whole, Pod)


def agent(node: str, **more: Any) -> Pod:
    """Make the agent's pod of a node."""
    return pod(f"apisnoop-agent-{node}", "apisnoop", node=node, labels=LABELS, **more)


def node(name: str, ready: bool = True) -> Node:
    """Make a node."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    return msgspec.convert({"metadata": metadata(name, ""), "status": {"conditions": conditions}}, Node)


def daemon_set(spec: dict[str, Any] | None = None) -> DaemonSet:
    """Make the DaemonSet of a release."""
    template = {"spec": spec or {}}
    return msgspec.convert(
        {"metadata": metadata("apisnoop-agent", "apisnoop", labels=LABELS), "spec": {"template": template}}, DaemonSet
    )


def verdict(**data: str) -> ConfigMap:
    """Make what the certificate's Job has found; keys with a _ for a -."""
    found = {key.replace("_", "-"): value for key, value in data.items()}
    return msgspec.convert({"metadata": metadata("apisnoop-certificate", "apisnoop"), "data": found}, ConfigMap)


def wishes(
    deployments: dict[str, dict[str, str]] | None = None, namespaces: dict[str, dict[str, str]] | None = None
) -> Wishes:
    """Make what Deployments (annotations) and namespaces (labels) say; each Deployment has a ReplicaSet NAME-1."""
    said = deployments or {}
    owners = above_from("deployment", [thing(name, annotations=marks) for name, marks in said.items()])
    owners |= above_from("replicaset", [thing(f"{name}-1", owner=("Deployment", name)) for name in said])
    places = {"shop": {}, **(namespaces or {})}
    return Wishes(
        owners,
        {name: read_marks("namespace", thing(name, "", labels=labels).metadata) for name, labels in places.items()},
    )


def answer(name: str, *pods: AgentPod, seen: tuple[ProxyPod, ...] = (), **proxy: Any) -> Answer:
    """Make what a node in good health says of its pods."""
    link = ProxySeen(**{"connected": True, "lag": 0.002, **proxy})
    told = AgentStatus(name, "1.0", "g", "2027-01-15T07:00:00Z", link, Leaf("2027-01-20T00:00:00Z"), 1, pods)
    return Answer(told, ProxyStatus(name, "1.0", seen))


def intercepted(name: str, **more: Any) -> AgentPod:
    """Make what an agent says of a pod that is recorded."""
    return AgentPod("shop", name, name, "intercepting", since="2027-01-15T07:59:00Z", **more)


def facts(**more: Any) -> Facts:
    """Make the facts of an installation on nodes n1 and n2 without pods, but for what is said."""
    known: dict[str, Any] = {
        "now": NOW,
        "version": "1.0",
        "daemon_sets": (daemon_set(),),
        "agents": (agent("n1"), agent("n2")),
        "answers": {"apisnoop-agent-n1": answer("n1"), "apisnoop-agent-n2": answer("n2")},
        "nodes": (node("n1"), node("n2")),
        "pods": (),
        "wishes": wishes(),
        "verdict": verdict(mode="csr", signer="kubernetes.io/kubelet-serving", not_after="2027-01-20T00:00:00Z"),
    }
    return Facts(**{**known, **more})
