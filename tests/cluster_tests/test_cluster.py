"""A one-node and a two-node cluster do what tests and the demo rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster import ApiServer, Cluster

pytestmark = pytest.mark.cluster


def run_pod(cluster: Cluster, namespace: str, name: str, *command: str, image: str = "local/busybox:1") -> None:
    """Run a pod and wait until it is ready."""
    flags = [f"--image={image}", "--image-pull-policy=Never", "--restart=Never", f"--namespace={namespace}"]
    cluster.kubectl("run", name, *flags, "--command", "--", *command)
    cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s", f"--namespace={namespace}")


def test_a_pod_runs_logs_and_answers_exec(cluster: Cluster, namespace: str) -> None:
    """Pods start from the images every node has; logs and exec go through the kubelet."""
    run_pod(cluster, namespace, "talker", "sh", "-c", "echo hello; exec sleep 1000")
    assert cluster.kubectl("logs", "talker", f"--namespace={namespace}") == "hello\n"
    assert cluster.kubectl("exec", "talker", f"--namespace={namespace}", "--", "echo", "inside") == "inside\n"


def test_the_audit_log_has_a_call_as_soon_as_it_was_answered(api_server: ApiServer, namespace: str) -> None:
    """The audit log is the ground truth: nothing is buffered."""
    name = f"{namespace}-map"
    api_server.kubectl("create", "configmap", name, f"--namespace={namespace}")
    events = [json.loads(line) for line in api_server.audit_log.read_text().splitlines()]
    created = [event for event in events if event["verb"] == "create" and event["objectRef"].get("name") == name]
    assert [event["responseStatus"]["code"] for event in created] == [201]
