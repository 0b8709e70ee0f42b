"""`apisnoop pull` and `--cluster`, through real port-forwards to pods that answer as node agents do."""

import pytest

from apisnoop.node.status import AgentPod, AgentStatus
from apisnoop.store import queries
from apisnoop.store.store import Store
from tests.cli.fake_nodes import FakeNodes
from tests.cli.reporting import run

pytestmark = pytest.mark.cluster


@pytest.fixture
def nodes(cluster, namespace):
    """Give nodes whose answers are still to be said."""
    return FakeNodes(cluster, namespace)


def pull(nodes, db, *words):
    """Run pull for the fake nodes."""
    place = ["--install-namespace", nodes.namespace, "--kubeconfig", nodes.cluster.kubeconfig]
    return run("pull", *place, "--db", db, *words)


def calls(db):
    """Count the calls in a store."""
    with Store.open(db, read_only=True) as store:
        return sum(row.ok + row.errors for row in queries.uses(store.connection))


def test_what_a_node_has_is_pulled_once(nodes, shop, tmp_path):
    """Pulled twice, nothing counts twice; what its agent says of pods that are not recorded comes along."""
    pods = (AgentPod("shop", "web-9", "u9", "skipped", "it uses the node's network"),)
    nodes.answer(agent=AgentStatus(pods=pods), snapshot=shop.read_bytes())
    nodes.start()
    expected, db, name = calls(shop), tmp_path / "all.db", nodes.cluster.nodes[0].name
    first = pull(nodes, db)
    assert (first.exit_code, first.stdout) == (0, f"{name}: {expected} calls, {expected} of them new\n")
    assert pull(nodes, db).stdout == f"{name}: {expected} calls, 0 of them new\n"
    assert calls(db) == expected
    with Store.open(db, read_only=True) as store:
        assert [(row.node, row.pod, row.why) for row in queries.standings(store.connection)] == [
            (name, "web-9", "it uses the node's network")
        ]


@pytest.mark.parametrize(
    ("snapshot", "why"), [(None, "404"), (b"no store at all", "its snapshot is not an apisnoop store")]
)
def test_a_node_without_a_snapshot_is_missing(nodes, tmp_path, snapshot, why):
    """It is named with the reason, the store remembers it, and the exit code says so."""
    nodes.answer(snapshot=snapshot)
    nodes.start()
    answer = pull(nodes, tmp_path / "all.db")
    assert answer.exit_code == 3
    assert f"node {nodes.cluster.nodes[0].name} does not answer" in answer.stderr
    assert why in answer.stderr
    assert "is missing" in answer.stderr
    with Store.open(tmp_path / "all.db", read_only=True) as store:
        assert [row.problem != "" for row in queries.nodes(store.connection)] == [True]


def test_no_agents_is_said(cluster, namespace, tmp_path):
    """Nothing is made of nothing."""
    answer = run(
        "pull", "--install-namespace", namespace, "--kubeconfig", cluster.kubeconfig, "--db", tmp_path / "x.db"
    )
    assert answer.exit_code == 3
    assert f"no node agent in namespace {namespace}: kubectl apisnoop install" in answer.stderr
    assert not (tmp_path / "x.db").exists()
