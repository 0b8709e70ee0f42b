"""What several tests of the cluster need: running a pod, and looking for what a cluster left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from cluster import Cluster


class RunPod(Protocol):
    """Runs a pod of the test's namespace and waits until it is ready (or, if it is to end, has succeeded)."""

    def __call__(self, cluster: Cluster, name: str, *command: str, image: str = ..., node: str = ...) -> None: ...


@pytest.fixture
def run_pod(namespace: str) -> RunPod:
    """Run pods in the test's namespace."""

    def run(cluster: Cluster, name: str, *command: str, image: str = "local/busybox:1", node: str = "") -> None:
        container = {"name": name, "image": image, "imagePullPolicy": "Never", "command": command}
        spec = {"containers": [container], "restartPolicy": "Never", **({"nodeName": node} if node else {})}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
        cluster.apply(pod, namespace)
        cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s", f"--namespace={namespace}")

    return run
