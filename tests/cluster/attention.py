"""Whether a cluster heeds new namespaces and pods again after its API server was away.

Whatever watches them pauses between its attempts, up to a minute where the server has been away often. Each is asked
for something that it does at once and that starts nothing: pods that fit nowhere are refused.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .api import Api


def wait_until_heard(api: Api, nodes: Sequence[str], seconds: float) -> None:
    """Wait for what a new namespace needs, the scheduler, and the kubelets of these nodes. Raises TimeoutError."""
    namespace = f"heard-{time.time_ns()}"
    place = f"/api/v1/namespaces/{namespace}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for made in ("serviceaccounts", "configmaps"):
        api.wait_for(f"{place}/{made}", any, seconds)
    for node in ("", *nodes):
        api.create(f"{place}/pods", _pod(node))
    api.wait_for(f"{place}/pods", lambda pods: all(_is_refused(pod) for pod in pods), seconds)
    api.delete(place)


def _pod(node: str) -> dict[str, Any]:
    """Render a pod for a node, or for the scheduler to choose one; there is none with such a label."""
    containers = [{"name": "none", "image": "none"}]
    spec = {"nodeName": node, "nodeSelector": {"nowhere": "to-be-found"}, "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"for-{node or 'scheduler'}"}, "spec": spec}


def _is_refused(pod: Mapping[str, Any]) -> bool:
    if pod["spec"].get("nodeName"):
        return bool(pod["status"]["phase"] == "Failed")
    return any(condition.get("reason") == "Unschedulable" for condition in pod["status"].get("conditions", []))
