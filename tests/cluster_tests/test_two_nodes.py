"""A cluster with two nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster_tests.daemon import daemon_set

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster_tests.conftest import RunPod

pytestmark = pytest.mark.cluster

# A CGI script of busybox's httpd, which is told the sender's address.
WHO_ASKS = r"mkdir -p /www/cgi-bin; cd /www/cgi-bin; printf '#!/bin/sh\necho; echo $REMOTE_ADDR\n' > who; chmod 755 who"


def test_a_daemonset_runs_on_every_node_and_sees_only_that_node(two_nodes: Cluster, namespace: str) -> None:
    """Nodes are machines of their own: a pod with hostPID sees one kubelet, its own node's."""
    where = f"--namespace={namespace}"
    two_nodes.apply(daemon_set(hostPID=True), namespace)
    two_nodes.kubectl("rollout", "status", "daemonset/daemon", "--timeout=60s", where)
    pods = two_nodes.get("pods", where)["items"]
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node1", "node2"}
    for pod in pods:
        processes = two_nodes.kubectl("exec", pod["metadata"]["name"], where, "--", "ps", "-o", "args").splitlines()
        (kubelet,) = [process for process in processes if process.startswith("kubelet ")]
        assert f"--hostname-override={pod['spec']['nodeName']} " in kubelet


def test_pods_of_two_nodes_see_each_others_own_address(two_nodes: Cluster, namespace: str, run_pod: RunPod) -> None:
    """What arrives at a pod on the other node carries the sender's pod address."""
    where = f"--namespace={namespace}"
    run_pod(two_nodes, "web", "sh", "-c", f"{WHO_ASKS}; exec httpd -f -p 80 -h /www", node="node1")
    run_pod(two_nodes, "client", "sleep", "1000", node="node2")
    web, client = (two_nodes.get("pod", name, where)["status"]["podIP"] for name in ("web", "client"))
    seen = two_nodes.kubectl("exec", "client", where, "--", "wget", "-q", "-O-", f"http://{web}/cgi-bin/who")
    assert seen.strip().strip("[]").removeprefix("::ffff:") == client
