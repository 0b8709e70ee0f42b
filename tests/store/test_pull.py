"""Pulling the snapshots of nodes."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.recording import Recording, Standing
from apisnoop.store import queries
from apisnoop.store.clear import clear
from apisnoop.store.errors import StoreError
from apisnoop.store.merge import merge_into
from apisnoop.store.pull import Pulled, note_standings, note_unanswered, pull_into
from apisnoop.store.recordings import recordings_in, save_recordings
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR, Window
from tests.store.batches import CALLERS, NINE, batch_of
from tests.store.contents import calls_in, contents

POD = "/api/v1/namespaces/a/pods/p"
NINE_HOUR = int(NINE) // HOUR


@pytest.fixture
def node(tmp_path):
    """The store of a node, which counts on between snapshots."""
    with Store.open(tmp_path / "node.db") as store:
        yield store


def count(store, calls, hour=0, reason=""):
    """Count some calls of the first caller, and a loss where a reason is given."""
    losses = [(reason, 1, "")] if reason else []
    store.add(batch_of([(POD, CALLERS[0], 200, hour * HOUR, 1)] * calls, losses))


def pull(target, store, folder, taken, node="worker-1"):
    """Take a snapshot of a store, as a node's proxy does, and pull it."""
    path = folder / f"snapshot-{node}-{taken}.db"
    store.copy_to(path)
    with Store.open(path, create=False, read_only=True) as snapshot:
        return pull_into(target, snapshot, node=node, taken=taken)


def test_pulling_again_counts_nothing_twice(store, node, tmp_path):
    """A snapshot holds all that the one before held; only what is new adds up."""
    count(node, 3, reason="too-long")
    assert pull(store, node, tmp_path, 10.0) == Pulled("worker-1", 3, 3, is_newer=True)
    assert pull(store, node, tmp_path, 11.0) == Pulled("worker-1", 3, 0, is_newer=True)
    count(node, 2, hour=1, reason="too-long")
    assert pull(store, node, tmp_path, 12.0) == Pulled("worker-1", 5, 2, is_newer=True)
    assert calls_in(store) == 5
    assert contents(store)["tallies"] == contents(node)["tallies"]
    assert contents(store)["names"] == contents(node)["names"]
    assert [loss.count for loss in queries.losses(store.connection)] == [2]


def test_an_older_snapshot_changes_nothing(store, node, tmp_path):
    """Two pulls at a time may end in the other order."""
    count(node, 1)
    old = tmp_path / "old.db"
    node.copy_to(old)
    count(node, 1)
    pull(store, node, tmp_path, 12.0)
    with Store.open(old, read_only=True) as snapshot:
        assert pull_into(store, snapshot, node="worker-1", taken=11.0) == Pulled("worker-1", 2, 0, is_newer=False)
    assert calls_in(store) == 2
    assert [row.taken for row in queries.origins(store.connection)] == [12.0]


def test_what_the_store_has_counted_itself_stays_apart(store, node, tmp_path):
    """A pull neither adds to the same caller's calls of another source nor takes them away."""
    count(store, 4)
    count(node, 1)
    pull(store, node, tmp_path, 10.0)
    count(store, 4)
    pull(store, node, tmp_path, 11.0)
    assert calls_in(store) == 9
    assert [use.ok for use in queries.uses(store.connection)] == [9]


def test_a_new_store_of_a_node_stands_beside_its_old_one(store, node, tmp_path):
    """A proxy that lost its disk begins at nothing; what its predecessor was known to have counted was counted."""
    count(node, 3)
    pull(store, node, tmp_path, 10.0)
    with Store.open(tmp_path / "new.db") as new:
        count(new, 1)
        pull(store, new, tmp_path, 11.0)
    assert calls_in(store) == 4
    assert [(row.node, row.taken, row.calls) for row in queries.origins(store.connection)] == [
        ("worker-1", 11.0, 1),
        ("worker-1", 10.0, 3),
    ]


def test_a_store_that_was_emptied_is_a_new_one(store, node, tmp_path):
    """Clearing a node's store does not take back what was pulled from it."""
    count(node, 3)
    pull(store, node, tmp_path, 10.0)
    clear(node)
    count(node, 1)
    pull(store, node, tmp_path, 11.0)
    assert calls_in(store) == 4


def test_what_was_cleared_does_not_come_back(store, node, tmp_path):
    """The next snapshot of a node still has the old calls; whoever has cleared them does not want them."""
    count(node, 3, hour=0, reason="too-long")
    count(node, 2, hour=1)
    with node.transaction():
        save_recordings(node.connection, [Recording("n", "shop", "web-1", "u", NINE, NINE + 60, "off")])
    pull(store, node, tmp_path, 10.0)
    clear(store, NINE_HOUR + 1)
    assert [row.calls for row in queries.origins(store.connection)] == [2]
    assert pull(store, node, tmp_path, 11.0) == Pulled("worker-1", 2, 0, is_newer=True)
    assert calls_in(store) == 2
    assert [name.count for name in queries.object_names(store.connection)] == [5]
    assert queries.losses(store.connection) == []
    assert recordings_in(store.connection) == []


def test_recordings_and_catalogues_come_along(store, node, tmp_path):
    """A recording that went on at the first pull has ended by the second: it is one."""
    first = Recording("n", "shop", "web-1", "u", NINE, NINE + 60)
    with node.transaction():
        save_recordings(node.connection, [first])
    pull(store, node, tmp_path, 10.0)
    assert recordings_in(store.connection) == [first]
    ended = Recording("n", "shop", "web-1", "u", NINE, NINE + 90, "off")
    with node.transaction():
        save_recordings(node.connection, [ended])
    pull(store, node, tmp_path, 11.0)
    assert recordings_in(store.connection) == [ended]


def test_a_node_without_an_answer_is_remembered_until_it_answers(store, node, tmp_path):
    """Missing is not empty; a pull that was asked for earlier and ends later does not take the later word back."""
    note_unanswered(store, node="worker-1", reason="connection refused", at=10.0)
    assert [(row.node, row.problem) for row in queries.nodes(store.connection)] == [("worker-1", "connection refused")]
    pull(store, node, tmp_path, 11.0)
    assert [(row.node, row.problem) for row in queries.nodes(store.connection)] == [("worker-1", "")]
    note_unanswered(store, node="worker-1", reason="connection refused", at=9.0)
    assert [(row.asked, row.problem) for row in queries.nodes(store.connection)] == [(11.0, "")]


def skipped(number):
    """How it stands with a pod that cannot be recorded."""
    return Standing("shop", f"web-{number}", f"u{number}", "skipped", "it uses the node's network")


def standing_in(store):
    """Which pods of which node are not recorded."""
    return [(row.node, row.pod) for row in queries.standings(store.connection)]


def test_what_an_agent_says_of_its_pods_takes_the_place_of_its_last_word(store, node, tmp_path):
    """A pod that is recorded by now is not missing any more; other nodes' pods stay."""
    note_standings(store, node="worker-2", pods=[skipped(9)], at=10.0)
    note_standings(store, node="worker-1", pods=[skipped(1), skipped(2)], at=10.0)
    note_standings(store, node="worker-1", pods=[skipped(2)], at=11.0)
    assert standing_in(store) == [("worker-1", "web-2"), ("worker-2", "web-9")]
    pull(store, node, tmp_path, 12.0)
    assert standing_in(store) == [("worker-2", "web-9")]


def test_what_a_silent_node_said_last_stays(store):
    """It is not known that anything has changed."""
    note_standings(store, node="worker-1", pods=[skipped(1)], at=10.0)
    note_unanswered(store, node="worker-1", reason="connection refused", at=11.0)
    assert standing_in(store) == [("worker-1", "web-1")]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_merging_takes_a_nodes_later_word(tmp_path, node, order):
    """Whoever asked later knows better, also that nothing is wrong any more."""
    with Store.open(tmp_path / "a.db") as early, Store.open(tmp_path / "b.db") as late:
        note_standings(early, node="worker-1", pods=[skipped(1)], at=10.0)
        note_standings(early, node="worker-2", pods=[skipped(2)], at=10.0)
        pull(late, node, tmp_path, 11.0)
        note_standings(late, node="worker-1", pods=[skipped(3)], at=11.0)
    with Store.open(":memory:") as merged:
        for name in order:
            with Store.open(tmp_path / f"{name}.db", read_only=True) as part:
                merge_into(merged, part)
        assert standing_in(merged) == [("worker-2", "web-2"), ("worker-1", "web-3")]


def test_standings_are_bounded(store):
    """An agent that was taken over does not fill a store."""
    note_standings(
        store, node="n", pods=(Standing("s", "p" * 999, str(at), "x", "w" * 999) for at in range(5000)), at=1.0
    )
    rows = queries.standings(store.connection)
    assert (len(rows), len(rows[0].pod), len(rows[0].why)) == (1000, 253, 253)


def test_names_of_nodes_are_bounded(store):
    """Whoever made a store up does not fill a report."""
    note_unanswered(store, node="n" * 9999, reason="r" * 9999, at=1.0)
    (row,) = queries.nodes(store.connection)
    assert (len(row.node), len(row.problem)) == (253, 253)


def test_a_stores_own_copy_is_refused(node, tmp_path):
    """Pulled into a copy of itself, every call would count twice."""
    node.copy_to(tmp_path / "copy.db")
    with (
        Store.open(tmp_path / "copy.db") as copy,
        pytest.raises(StoreError, match="is a copy of that of node worker-1"),
    ):
        pull_into(copy, node, node="worker-1", taken=1.0)


def test_what_was_pulled_is_not_pulled_again(store, node, tmp_path):
    """A file that holds several nodes' snapshots is no node's."""
    count(node, 1)
    pull(store, node, tmp_path, 1.0)
    with Store.open(":memory:") as other, pytest.raises(StoreError, match="was itself pulled from nodes"):
        pull_into(other, store, node="worker-1", taken=2.0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_snapshot_that_was_cut_off_leaves_what_was_there(store, node, tmp_path, share):
    """A download that broke off does not cost the last good snapshot, wherever it broke off, and is named."""
    count(node, 2)
    pull(store, node, tmp_path, 1.0)
    before = contents(store)
    node.add(batch_of([(f"/random-{number}/path", CALLERS[0], 404, 0, 1) for number in range(3000)]))
    path = tmp_path / "cut.db"
    node.copy_to(path)
    os.truncate(path, int(path.stat().st_size * share))
    with (
        pytest.raises(StoreError, match=r"cut\.db"),
        Store.open(path, create=False, read_only=True) as snapshot,
    ):
        pull_into(store, snapshot, node="worker-1", taken=2.0)
    assert contents(store) == before


steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_pulls_of_any_order_hold_the_last_of_each_node(tmp_path_factory, made):
    """Whenever which node is pulled into whom, or is silent: a merger of two knows each node once, at its latest."""
    folder = tmp_path_factory.mktemp("pull")
    left, right = Store.open(folder / "left.db"), Store.open(folder / "right.db")
    nodes = {name: Store.open(folder / f"{name}.db") for name in "ab"}
    expected, last = dict.fromkeys("ab", 0), dict[str, str]()
    for taken, (name, calls, to_left, answers) in enumerate(made):
        into = left if to_left else right
        if not answers:
            note_unanswered(into, node=name, reason="no answer", at=float(taken))
            continue
        count(nodes[name], calls)
        pull(into, nodes[name], folder, float(taken), node=name)
        note_standings(into, node=name, pods=[skipped(taken)], at=float(taken))
        expected[name], last[name] = calls_in(nodes[name]), f"web-{taken}"
    found = []
    for order in ((left, right), (right, left)):
        with Store.open(":memory:") as merged:
            for one in order:
                merge_into(merged, one)
            found.append(contents(merged))
            assert calls_in(merged) == sum(expected.values())
            assert dict(standing_in(merged)) == last
            assert len(standing_in(merged)) == len(last)
            assert sum(use.ok for use in queries.uses(merged.connection, Window())) == sum(expected.values())
    assert found[0] == found[1]
    for store in (left, right, *nodes.values()):
        store.close()
