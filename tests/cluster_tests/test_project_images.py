"""The project's own image, in a pod with the rights of the node agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from cluster import Cluster

pytestmark = pytest.mark.cluster

EXPLAIN = ["apisnoop", "explain", "GET", "/api/v1/namespaces/shop/pods?watch=1"]
# Shows that every role is there, the effective capabilities, and that the pod sees its node's processes.
LOOK = """
import ctypes, pathlib, sys
ctypes.CDLL("libnftables.so.1")
import apisnoop_certs, apisnoop_tproxy, apisnoop_webhook
assert sys.version_info >= (3, 12)
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
names = [path.read_text().strip() for path in pathlib.Path("/proc").glob("[0-9]*/comm")]
print(int(status["CapEff"], 16) >> 21 & 1, "kubelet" in names)
"""


def test_the_projects_image_runs_with_what_the_node_agent_needs(
    cluster: Cluster, namespace: str, apisnoop_archive: Path
) -> None:
    """Command line and Python work, by themselves as nobody, and with hostPID and SYS_ADMIN as root."""
    cluster.load_image(apisnoop_archive)
    rights = {"runAsUser": 0, "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN"]}}
    nobody = {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    assert "watch" in output(cluster, namespace, "plain", EXPLAIN, nobody)
    agent = output(cluster, namespace, "agent", ["python3", "-c", LOOK], rights, hostPID=True)
    assert agent.split() == ["1", "True"]


def output(cluster: Cluster, namespace: str, name: str, command: list[str], rights: dict[str, Any], **spec: Any) -> str:
    """Run a pod of the project's image to its end and return what it prints."""
    container = {
        "name": name,
        "image": "apisnoop:test",
        "imagePullPolicy": "Never",
        "command": command,
        "securityContext": rights,
    }
    body = {"containers": [container], "restartPolicy": "Never", **spec}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}, namespace)
    done = "--for=jsonpath={.status.phase}=Succeeded"
    cluster.kubectl("wait", f"pod/{name}", done, "--timeout=60s", f"--namespace={namespace}")
    return cluster.kubectl("logs", name, f"--namespace={namespace}")
