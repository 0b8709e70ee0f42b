"""The pods that the demo has recorded: a bare one that uses kubectl, and a Deployment whose program is in Go.

Both work in rounds. A round begins with a line in the pod's log; then come programs that open connections of their own.
So the log tells which calls were made on connections that were opened within a certain time, whatever they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any

from tests.inside.pods import CLIENTS, pod_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from apisnoop.calls.recording import Gap

POD = "inventory"
DEPLOYMENT = "web"
REPLICAS = 2
"""One on each node."""
AGENTS = {"keeper": "kubectl/", "server": "/load"}
"""What the user agents in each container contain, by which the audit log tells containers apart."""
BEGIN = "begin"
MARGIN = 1.0
"""Seconds before and after a gap in which a connection may still not, or not yet, be recorded."""

_KUBECTL = """
kubectl create configmap stock --from-literal=apples=3
kubectl patch configmap stock --patch '{"data": {"apples": "2"}}'
kubectl get pods
kubectl delete configmap stock
"""
_GO = f"{CLIENTS} load --namespace=$NAMESPACE --calls=15 --workers=1"
# The pause after the line is longer than the log may lag behind.
_ROUNDS = "while true; do echo {begin}; sleep 0.5; ({work}) >/dev/null; sleep 0.5; done"


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a pod, from its line to that of the next; seconds since the epoch."""

    since: float
    until: float

    def holds(self, at: float) -> bool:
        """Tell whether a moment is within."""
        return self.since <= at < self.until

    def is_touched_by(self, gap: Gap) -> bool:
        """Tell whether a connection of it may have been opened in a gap, whose ends are not known to the moment."""
        return self.since <= (inf if gap.end is None else gap.end) + MARGIN and gap.start - MARGIN < self.until


def demo_objects(namespace: str, clients: Path) -> list[dict[str, Any]]:
    """Render the bare pod and the Deployment."""
    bare = _working_pod(POD, "keeper", _KUBECTL, namespace, clients)
    template = _working_pod(DEPLOYMENT, "server", _GO, namespace, clients)
    labels = template["metadata"]["labels"]
    # One on each node, so that both nodes have something to tell.
    template["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": labels},
        }
    ]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }
    return [bare, deployment]


def rounds_in(log: str) -> list[float]:
    """Give when each round began, from a log with `kubectl logs --timestamps`."""
    lines = (line.partition(" ") for line in log.splitlines())
    return [datetime.fromisoformat(at).timestamp() for at, _, said in lines if said == BEGIN]


def complaints_in(log: str) -> list[str]:
    """Give what the programs said: nothing, if every call of theirs was answered as they expected."""
    lines = (line.partition(" ") for line in log.splitlines())
    return [said for _, _, said in lines if said != BEGIN]


def whole_rounds(begun: Iterable[float], since: float, until: float) -> list[Round]:
    """Give the rounds that began and ended between two moments."""
    return [Round(*both) for both in pairwise(at for at in begun if since <= at < until)]


def _working_pod(name: str, container: str, work: str, namespace: str, clients: Path) -> dict[str, Any]:
    pod = pod_object(name, clients, containers=(container,))
    (made,) = pod["spec"]["containers"]
    made["command"] = _shell(work)
    made["env"].append({"name": "NAMESPACE", "value": namespace})
    return pod


def _shell(work: str) -> Sequence[str]:
    return ["sh", "-c", _ROUNDS.format(begin=BEGIN, work=work)]
