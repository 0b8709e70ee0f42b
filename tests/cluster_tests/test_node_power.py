"""A node that goes down and comes back, in a cluster with settings of its own."""

from __future__ import annotations

from contextlib import suppress
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

import pytest

from cluster import Cluster
from cluster_tests.daemon import daemon_set
from tests.inside.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster
LATE = 4.0
"""Seconds; a kubelet takes less to look for containerd."""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """Two nodes that a test may switch off, whose silence is noticed soon."""
    noticed = ["--node-monitor-grace-period=4s", "--node-monitor-period=1s"]
    with Cluster.start(
        nodes=2,
        controller_arguments=noticed,
        kubelet={"maxPods": 250, "nodeStatusUpdateFrequency": "1s", "nodeLeaseDurationSeconds": 4},
    ) as cluster:
        cluster.apply(daemon_set(terminationGracePeriodSeconds=0))
        cluster.kubectl("rollout", "status", "daemonset/daemon", "--timeout=60s")
        yield cluster


def test_kubelets_have_the_settings_they_were_started_with(own_cluster: Cluster) -> None:
    """A node takes more pods than the usual 110 when a test asks for it."""
    assert [node["status"]["capacity"]["pods"] for node in own_cluster.get("nodes")["items"]] == ["250", "250"]


def test_a_node_without_power_is_missed_and_comes_back_with_its_pods(own_cluster: Cluster) -> None:
    """The other node goes on; after the start pods run again and are reached through the kubelet."""
    second = own_cluster.nodes[1]
    own_cluster.stop_node(2)
    own_cluster.kubectl("wait", "node/node2", "--for=condition=Ready=Unknown", "--timeout=60s")
    assert pod_answers(own_cluster, "node1")
    own_cluster.start_node(2)
    assert own_cluster.nodes[1].pid != second.pid
    wait_until(lambda: pod_answers(own_cluster, "node2"), "the pod of node2 to run a program", 120)


def test_an_api_server_with_nodes_restarts_under_them(own_cluster: Cluster) -> None:
    """Kubelets find the new server at the old address: a pod made afterwards runs."""
    own_cluster.restart_apiserver()
    own_cluster.kubectl("rollout", "restart", "daemonset/daemon")
    own_cluster.kubectl("rollout", "status", "daemonset/daemon", "--timeout=120s")


def test_a_node_whose_containerd_starts_late_comes_back_all_the_same(own_cluster: Cluster) -> None:
    """As on a busy machine, or with many pods to take stock of: a kubelet that finds nobody would end."""
    place = own_cluster.directory / "bin/containerd"
    containerd = place.readlink()
    own_cluster.stop_node(2)
    place.unlink()
    place.write_text(f'#!/bin/sh\nsleep {LATE}\nexec {containerd} "$@"\n')
    place.chmod(0o755)
    try:
        own_cluster.start_node(2)
    finally:
        place.unlink()
        place.symlink_to(containerd)
    wait_until(lambda: pod_answers(own_cluster, "node2"), "the pod of node2 to run a program", 120)


def pod_answers(cluster: Cluster, node: str) -> bool:
    """Tell whether the daemon's pod of a node runs a program; its status may be that of before the node's end."""
    (pod,) = cluster.get("pods", "--selector=app=daemon", f"--field-selector=spec.nodeName={node}")["items"]
    with suppress(CalledProcessError):
        return cluster.kubectl("exec", pod["metadata"]["name"], "--", "hostname").strip() == pod["metadata"]["name"]
    return False
