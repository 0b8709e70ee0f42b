"""Merging stores."""

import multiprocessing
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.audit.event import STARTED
from apisnoop.calls.audit.tracking import Access, Beginning, Stretch, Unfinished
from apisnoop.calls.recording import Recording, Standing
from apisnoop.store import queries
from apisnoop.store.caps import Caps
from apisnoop.store.errors import StoreError
from apisnoop.store.importing.importer import Importer
from apisnoop.store.importing.unfinished import save_unfinished
from apisnoop.store.merge import merge_into, shared_inputs
from apisnoop.store.pull import note_standings, note_unanswered, pull_into
from apisnoop.store.recordings import save_recordings
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, log
from tests.store.batches import CALLERS, NINE, batch_of, batches
from tests.store.contents import calls_in, contents

IMPORT = """
    INSERT INTO imports (path, format, head_length, head_digest, position, tail_digest, lines, calls, started, updated,
        problem)
    VALUES (?, 'audit', 10, ?, ?, 'tail', ?, ?, 1.0, ?, '')
"""
TIGHT = Caps(findings=1, callers=1, namespaces=1, actions=1, names=1)

names = st.sampled_from("ab")
moments = st.integers(0, 3)
asked = st.lists(
    st.tuples(
        st.sampled_from(["answers", "says nothing"]),
        names,
        moments,
        st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["skipped", "failed"])), max_size=2),
    ),
    max_size=4,
)
recorded = st.lists(
    st.tuples(names, moments, moments, st.sampled_from(["", "off"])), max_size=2, unique_by=lambda one: one[:2]
)
records = st.fixed_dictionaries(
    {
        "runs": st.lists(st.tuples(names, st.none() | st.integers(0, 3), st.integers(0, 9)), max_size=2),
        "imports": st.lists(st.tuples(names, st.integers(0, 3)), max_size=2, unique_by=lambda pair: pair[0]),
        "unfinished": st.lists(st.tuples(names, st.sampled_from(["get", "watch"]), names), max_size=2),
        "seen": st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=2, unique_by=lambda pair: pair[0]),
        "used": st.lists(st.integers(0, 9), max_size=2),
        "asked": asked,
        "recorded": recorded,
    }
)
described = st.tuples(st.lists(batches, max_size=2), records, st.sampled_from([Caps(), TIGHT]))


def stretch_of(requests):
    """A stretch of a log in which these requests were begun to be answered: id, verb and object."""
    stretch = Stretch()
    for audit_id, verb, name in requests:
        match = CATALOGUE.match_audit(verb, f"/api/v1/namespaces/a/pods/{name}")
        access = Access(match.target, CALLERS[0], match.verb, match.detail, match.namespace, match.name)
        stretch.begun[hash(audit_id)] = Beginning(audit_id, verb, STARTED, NINE, access)
    return stretch


def ask_nodes(store, snapshots, asked):
    """Have nodes asked for their snapshots, as `pull` does: they answer, with pods that are not recorded, or do not."""
    for how, node, at, pods in asked:
        if how == "answers":
            with Store.open(snapshots / node, read_only=True) as snapshot:
                is_newer = pull_into(store, snapshot, node=node, taken=float(at)).is_newer
            if is_newer:
                standings = [Standing("shop", f"web-{number}", f"u{number}", state, "why") for number, state in pods]
                note_standings(store, node=node, pods=standings, at=float(at))
        else:
            note_unanswered(store, node=node, reason="no answer", at=float(at))


def folder_with_nodes(paths):
    """A folder with the empty stores of both nodes, which whatever is built in it has pulled."""
    folder = paths.mktemp("merge")
    (folder / "nodes").mkdir()
    for node in "ab":
        Store.open(folder / "nodes" / node).close()
    return folder


def build(path, made):
    """A store with these batches and records; some hold tight caps, so that "(other)" is merged too."""
    batches, kept, caps = made
    with Store.open(path, caps=caps) as store:
        for batch in batches:
            store.add(batch)
        connection = store.connection
        for name, code, calls in kept["runs"]:
            ended = None if code is None else NINE + code
            store.save_run(queries.RunRow(name, "kubectl", "host", NINE, ended, code, calls, "1"))
        for name, position in kept["imports"]:
            connection.execute(IMPORT, (f"{name}.log", name, position, position, position, NINE))
        begun = Unfinished()
        begun.add([stretch_of(kept["unfinished"])])
        save_unfinished(store, begun)
        connection.executemany("INSERT INTO seen_ids VALUES (?, ?)", kept["seen"])
        for moment in kept["used"]:
            connection.execute("INSERT OR REPLACE INTO catalogues VALUES ('1.36', 's', 'd', ?, ?)", (moment, moment))
        ask_nodes(store, path.parent / "nodes", kept["asked"])
        with store.transaction():
            found = (
                Recording("n", "shop", pod, pod, NINE + a, NINE + a + b, end) for pod, a, b, end in kept["recorded"]
            )
            save_recordings(connection, list(found))
    return path


def merged(target, *sources):
    """Merge stores into a new one, as the command does."""
    with Store.open(target) as store:
        for path in sources:
            with Store.open(path, read_only=True) as source:
                merge_into(store, source)
    return target


def test_a_run_that_ended_has_ended(tmp_path):
    """Of a run saved at its start in one store and at its end in another, the end is kept."""
    for name, ended in (("early", None), ("late", NINE + 5)):
        with Store.open(tmp_path / name) as store:
            store.save_run(queries.RunRow("r", "kubectl", "host", NINE, ended, ended and 0, 7 if ended else 0, "1"))
    run = queries.RunRow("r", "kubectl", "host", NINE, NINE + 5, 0, 7, "1")
    for order in (("early", "late"), ("late", "early")):
        path = merged(tmp_path / "-".join(order), *(tmp_path / name for name in order))
        with Store.open(path, read_only=True) as store:
            assert queries.runs(store.connection) == [run]


def held(path):
    with Store.open(path, read_only=True) as store:
        return contents(store)


@settings(max_examples=40, deadline=None)
@given(a=described, b=described, c=described)
def test_merging_is_associative_and_commutative(tmp_path_factory, a, b, c):
    """However three stores are merged, the result says the same, capped or not, and counts every call."""
    folder = folder_with_nodes(tmp_path_factory)
    x, y, z = (build(folder / name, made) for name, made in zip("xyz", (a, b, c), strict=True))
    left = held(merged(folder / "left", merged(folder / "xy", x, y), z))
    right = held(merged(folder / "right", x, merged(folder / "yz", y, z)))
    turned = held(merged(folder / "turned", z, y, x))
    assert left == right == turned
    with Store.open(folder / "left", read_only=True) as store:
        assert calls_in(store) == sum(batch.calls for made in (a, b, c) for batch in made[0])


def test_what_a_node_said_before_its_last_answer_is_forgotten_in_any_order(tmp_path):
    """Also where it was silent since: C asked at 5, A at 10, B at 20 without an answer."""
    Store.open(tmp_path / "node").close()
    asked = {"c": ("answers", "node", 5, [(1, "skipped")]), "a": ("answers", "node", 10, [])}
    for name, one in {**asked, "b": ("says nothing", "node", 20, [])}.items():
        with Store.open(tmp_path / name) as store:
            ask_nodes(store, tmp_path, [one])
    left = held(merged(tmp_path / "left", merged(tmp_path / "ca", tmp_path / "c", tmp_path / "a"), tmp_path / "b"))
    right = held(merged(tmp_path / "right", merged(tmp_path / "cb", tmp_path / "c", tmp_path / "b"), tmp_path / "a"))
    assert left == right
    assert left["standings"] == []
    assert [problem for _, _, problem in left["nodes"]] == ["no answer"]


@settings(max_examples=20, deadline=None)
@given(a=described)
def test_an_empty_store_changes_nothing(tmp_path_factory, a):
    """Merging into a new store is copying."""
    folder = folder_with_nodes(tmp_path_factory)
    x, empty = build(folder / "x", a), build(folder / "empty", ([], dict.fromkeys(a[1], ()), Caps()))
    assert held(merged(folder / "copy", x, empty)) == held(x)


def test_merging_equals_counting_in_one_place(tmp_path):
    """Two stores that each saw half of the calls hold together what one store holds that saw all."""
    calls = [("/api/v1/namespaces/a/pods/p", CALLERS[n % 3], 200, n * 600, 1000 * n) for n in range(30)]
    paths = [tmp_path / name for name in ("even", "odd", "all")]
    for path, part in zip(paths, (calls[::2], calls[1::2], calls), strict=True):
        with Store.open(path) as store:
            store.add(batch_of(part))
    both, whole = held(merged(tmp_path / "both", *paths[:2])), held(paths[2])
    assert both["tallies"] == whole["tallies"]
    assert both["names"] == whole["names"]


def test_a_failure_leaves_the_target(tmp_path):
    """A source that turns out to be damaged adds nothing, and is let go of."""
    for name in ("target", "source"):
        with Store.open(tmp_path / name) as store:
            store.add(batch_of([("/api/v1/namespaces/a/pods/p", CALLERS[0], 200, 0, 1)]))
    with Store.open(tmp_path / "source") as source:
        source.connection.execute("UPDATE tallies SET durations = 'no JSON'")
    before = held(tmp_path / "target")
    with Store.open(tmp_path / "target") as target, Store.open(tmp_path / "source", read_only=True) as source:
        with pytest.raises(StoreError, match="source holds durations that cannot be read"):
            merge_into(target, source)
        assert [row[1] for row in target.connection.execute("PRAGMA database_list") if row[1] != "temp"] == ["main"]
    assert held(tmp_path / "target") == before


def merge_as_nobody(target, source, answers):
    os.setegid(65534)
    os.seteuid(65534)
    with Store.open(target) as store, Store.open(source, read_only=True) as other:
        merge_into(store, other)
        answers.put(calls_in(store))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_store_that_cannot_be_written_can_be_merged(public_folder):
    """Stores of other machines may lie where nothing can be written beside them."""
    for name in ("source", "target"):
        (public_folder / name).mkdir()
    with Store.open(public_folder / "source" / "a.db") as store:
        store.add(batch_of([("/api/v1/namespaces/a/pods/p", CALLERS[0], 200, 0, 1)]))
    (public_folder / "target").chmod(0o777)
    (public_folder / "source").chmod(0o755)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    paths = (public_folder / "target" / "c.db", public_folder / "source" / "a.db")
    process = context.Process(target=merge_as_nobody, args=(*paths, answers))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert answers.get() == 1


def test_inputs_imported_into_both_are_named(tmp_path):
    """Their calls count twice in the merger, which nobody can see from the numbers."""
    (tmp_path / "audit.log").write_bytes(log(range(3)))
    (tmp_path / "other.log").write_bytes(log(range(10, 13)))
    for name, inputs in {"left": ["audit.log"], "right": ["audit.log", "other.log"]}.items():
        with Store.open(tmp_path / name) as store:
            for input_name in inputs:
                Importer(store, CATALOGUE).run(str(tmp_path / input_name))
    with Store.open(tmp_path / "left") as left, Store.open(tmp_path / "right") as right:
        assert shared_inputs(left, right) == [str(tmp_path / "audit.log")]
        assert shared_inputs(left, left) == [str(tmp_path / "audit.log")]


def test_runs_of_both_are_named(tmp_path):
    """A store that is given twice, or a copy of one."""
    with Store.open(tmp_path / "left") as left, Store.open(tmp_path / "right") as right:
        for store, run in ((left, "one"), (right, "one"), (right, "two")):
            store.save_run(queries.RunRow(run, "kubectl", "host", NINE, None, None, 1, "1"))
        assert shared_inputs(left, right) == ["a run of kubectl"]
