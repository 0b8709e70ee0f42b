"""`--cluster`: reports on what the nodes have recorded up to now."""

import json

import pytest

from tests.cli.fake_nodes import FakeNodes
from tests.cli.reporting import run


@pytest.fixture
def nodes(cluster, namespace):
    """Give nodes whose answers are still to be said."""
    return FakeNodes(cluster, namespace)


def rows(answer):
    """Give a report's lines but for those that tell of its origin."""
    return [line for line in answer.stdout.splitlines() if not line.startswith("#")]


@pytest.mark.cluster
def test_every_report_can_be_on_the_nodes(nodes, shop):
    """What a store says of its calls is what the nodes that have them say, for coverage, gaps, rbac and diff."""
    nodes.answer(snapshot=shop.read_bytes())
    nodes.start()
    of_cluster = ["--cluster", "--install-namespace", nodes.namespace, "--kubeconfig", nodes.cluster.kubeconfig]
    found = json.loads(run("coverage", "-o", "json", *of_cluster).stdout)
    expected = json.loads(run("coverage", "-o", "json", "--db", shop).stdout)
    assert found["operations"] == expected["operations"]
    assert found["origin"]["store"].startswith("cluster https://")
    assert "apisnoop gaps --cluster" in run("coverage", *of_cluster).stdout
    assert (
        run("rbac", *of_cluster).stdout.count("kind: Role") == run("rbac", "--db", shop).stdout.count("kind: Role") > 0
    )
    assert rows(run("gaps", "-o", "csv", *of_cluster)) == rows(run("gaps", "-o", "csv", "--db", shop))
    assert run("diff", shop, *of_cluster, "--exit-code").exit_code == 0


@pytest.mark.cluster
def test_no_node_at_all_is_no_report(nodes):
    """An empty report would look as if nothing had been called."""
    nodes.start()
    place = ["--install-namespace", nodes.namespace, "--kubeconfig", nodes.cluster.kubeconfig]
    answer = run("coverage", "--cluster", *place)
    assert answer.exit_code == 3
    assert "no node answers; see what is wrong: kubectl apisnoop doctor" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["coverage", "--cluster", "--db", "x.db"], "--db and --cluster exclude one another"),
        (["diff", "a.db"], "name AFTER, or give --cluster"),
        (["diff", "a.db", "b.db", "--cluster"], "--cluster takes the place of AFTER"),
    ],
)
def test_two_sources_or_none_are_refused(words, says):
    """Nobody could tell which was meant."""
    answer = run(*words)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_the_variable_that_names_a_store_does_not_contradict(monkeypatch, tmp_path):
    """APISNOOP_DB is for whoever says nothing; --cluster says something."""
    monkeypatch.setenv("APISNOOP_DB", str(tmp_path / "x.db"))
    answer = run("coverage", "--cluster", "--kubeconfig", tmp_path / "none")
    assert "kubeconfig" in answer.stderr
    assert answer.exit_code == 3
