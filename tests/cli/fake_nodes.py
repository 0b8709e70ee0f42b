"""Pods that answer as node agents do, on a real cluster: what agent and proxy say is in files that the test gives.

So the verbs' way through the API server and the kubelet is the real one, and what the nodes say is whatever a test
needs, also what no healthy agent would say.
"""

import base64
from typing import Any

import msgspec

from apisnoop.node.status import AGENT_PORT, PROXY_PORT, AgentStatus, ProxyStatus

LABELS = {
    "app.kubernetes.io/name": "apisnoop",
    "app.kubernetes.io/instance": "fake",
    "app.kubernetes.io/component": "agent",
}


class FakeNodes:
    """A DaemonSet in a namespace of its own; use `answer`, then `start`."""

    def __init__(self, cluster: Any, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.files: dict[str, bytes] = {}

    def answer(
        self, agent: AgentStatus | None = None, proxy: ProxyStatus | None = None, snapshot: bytes | None = None
    ) -> None:
        """Say what the nodes answer; None: there is no such path."""
        given = {
            "agent-status": msgspec.json.encode(agent) if agent else None,
            "proxy-status": msgspec.json.encode(proxy) if proxy else None,
            "proxy-snapshot": snapshot,
        }
        self.files = {name: content for name, content in given.items() if content is not None}

    def start(self) -> None:
        """Create everything and wait until the pods are ready; afterwards, give new answers to new pods."""
        self.cluster.apply(self._objects(), self.namespace)
        self.cluster.kubectl("rollout", "status", "daemonset/apisnoop-agent", "-n", self.namespace, "--timeout=60s")

    def _objects(self) -> dict[str, Any]:
        data = {name: base64.b64encode(content).decode() for name, content in self.files.items()}
        files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "answers"}, "binaryData": data}
        return {"apiVersion": "v1", "kind": "List", "items": [files, self._daemon_set(str(hash(str(data))))]}

    def _daemon_set(self, version: str) -> dict[str, Any]:
        spec = {
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [self._container("agent", AGENT_PORT), self._container("proxy", PROXY_PORT)],
        }
        volumes = [self._volume("agent"), self._volume("proxy")]
        template = {
            "metadata": {"labels": LABELS, "annotations": {"answers": version}},
            "spec": {**spec, "volumes": volumes},
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "apisnoop-agent", "labels": LABELS},
            "spec": {"selector": {"matchLabels": LABELS}, "template": template},
        }

    def _volume(self, part: str) -> dict[str, Any]:
        items = [
            {"key": name, "path": name.removeprefix(f"{part}-")} for name in self.files if name.startswith(f"{part}-")
        ]
        return (
            {"name": part, "configMap": {"name": "answers", "items": items}}
            if items
            else {"name": part, "emptyDir": {}}
        )

    def _container(self, part: str, port: int) -> dict[str, Any]:
        return {
            "name": part,
            "image": "local/busybox:1",
            "imagePullPolicy": "Never",
            "command": ["httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", "/srv"],
            "volumeMounts": [{"name": part, "mountPath": "/srv"}],
        }
