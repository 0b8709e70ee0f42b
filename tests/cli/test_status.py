"""`apisnoop status`, through real port-forwards to pods that answer as node agents do."""

import json

import pytest

from apisnoop.node.status import AgentPod, AgentStatus, Leaf, ProxyPod, ProxySeen, ProxyStatus
from tests.cli.fake_nodes import FakeNodes
from tests.cli.reporting import run

pytestmark = pytest.mark.cluster


@pytest.fixture
def nodes(cluster, namespace):
    """Give nodes whose answers are still to be said."""
    return FakeNodes(cluster, namespace)


def ask(nodes, *words):
    """Run status for the fake nodes, and for pods of their namespace only."""
    place = ["--install-namespace", nodes.namespace, "-n", nodes.namespace]
    return run("status", *place, "--kubeconfig", nodes.cluster.kubeconfig, *words)


def test_what_the_nodes_say_is_put_together(nodes):
    """Agent and proxy are asked by port-forward; pods that are asked for are found out from the API server."""
    name, namespace = nodes.cluster.nodes[0].name, nodes.namespace
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-0", "annotations": {"apisnoop": "true"}}}
    made["spec"] = {"nodeName": name, "containers": [{"name": "app", "image": "none", "imagePullPolicy": "Never"}]}
    nodes.cluster.apply(made, namespace)
    uid = nodes.cluster.kubectl("get", "pod", "web-0", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
    pod = AgentPod(namespace, "web-0", uid, "intercepting", since="2026-01-01T00:00:00Z", existing=2)
    seen = ProxyPod(namespace, "web-0", uid, calls=1234, connections=1, unseen={"client-certificate": 1})
    nodes.answer(
        AgentStatus(name, "9.9", proxy=ProxySeen(True, 0.003), certificate=Leaf("2027-01-01T00:00:00Z"), pods=(pod,)),
        ProxyStatus(name, "9.9", (seen,)),
    )
    nodes.start()
    found = json.loads(ask(nodes, "-o", "json").stdout)
    node = next(one for one in found["nodes"] if one["name"] == name)
    assert (node["state"], node["version"], node["recorded"], node["asked"]) == ("well", "9.9", 1, 1)
    assert [(one["name"], one["state"], one["calls"], one["not_seen"]) for one in found["pods"]] == [
        ("web-0", "intercepting", 1234, 3)
    ]
    table = ask(nodes).stdout
    assert f"in namespace {namespace} (release fake): 1 of 1 node answer" in table
    assert "1,234" in table
    assert "2 older connections" in table


def test_a_node_that_says_nothing_is_shown_as_such(nodes):
    """Its pod runs, but what is asked for is not there; its pods are missing, not unrecorded."""
    nodes.start()
    answer = ask(nodes)
    assert answer.exit_code == 0
    assert "0 of 1 node answer" in answer.stdout
    assert "no answer" in answer.stdout
    assert "404" in answer.stdout
