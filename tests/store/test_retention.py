"""Pods that count for their workload after some time."""

from collections import Counter
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.caller import Caller
from apisnoop.calls.durations import DurationsSum, decode_durations, merge_durations
from apisnoop.calls.recording import Recording
from apisnoop.calls.tally import OTHER
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.who import Dimension
from apisnoop.store import queries
from apisnoop.store.pull import pull_into
from apisnoop.store.recordings import recordings_in, save_recordings
from apisnoop.store.retention import RolledUp, roll_up
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR, Window
from tests.calls.sample import CATALOGUE
from tests.store.batches import NINE, URLS, batch_of
from tests.store.contents import calls_in, contents

NINE_HOUR = int(NINE) // HOUR
POD = "/api/v1/namespaces/a/pods/p"


def pod(number, workload="deployment/web", **more):
    """One replica of a workload, on a node of its own."""
    return Caller(
        node=f"n{number}", namespace="shop", pod=f"web-{number}", pod_uid=f"u{number}", workload=workload,
        container="app", service_account="shop/web", **more,
    )  # fmt: skip


REPLICAS = [*(pod(number) for number in range(3)), pod(3, ""), pod(4, "job/load"), Caller(user="alice")]
TOTALS = """
    SELECT targets.kind, targets.operation, targets.path, verb, detail, namespaces.name, status, hour,
        callers.namespace, workload, container, service_account, user, client,
        iif(workload = '' OR hour >= ?, pod, ''), sum(count), min(first), max(last), sum_durations(durations)
    FROM tallies JOIN targets ON targets.id = target JOIN actions ON actions.id = action
    JOIN callers ON callers.id = caller JOIN namespaces ON namespaces.id = tallies.namespace
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
"""


def totals(store, before):
    """All that the tallies say, but for what is given up: which replica made calls before an hour."""
    return sorted(store.connection.execute(TOTALS, (before,)).fetchall())


called = st.tuples(
    st.sampled_from(URLS),
    st.sampled_from(REPLICAS),
    st.sampled_from([0, 200, 403]),
    st.integers(0, 4 * HOUR),
    st.none() | st.integers(0, 1_000_000),
)


def names(store):
    """How often each object was named, by whomever."""
    found = Counter()
    for row in queries.object_names(store.connection):
        found[row.verb, row.namespace, row.name] += row.count
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(called, max_size=40), st.integers(-1, 6))
def test_no_total_changes(calls, hours):
    """Whatever was called, from whichever replica: every count, time and histogram of a workload is as before."""
    hour = NINE_HOUR + hours
    with Store.open(":memory:") as store:
        store.add(batch_of(calls))
        before, uses, named = totals(store, hour), queries.uses(store.connection), names(store)
        recent = queries.uses(store.connection, Window(since=hour))
        rolled = roll_up(store, hour)
        assert totals(store, hour) == before
        assert (queries.uses(store.connection), names(store)) == (uses, named)
        assert queries.uses(store.connection, Window(since=hour)) == recent
        assert rolled.tallies_after <= rolled.tallies_before
        again = contents(store)
        assert roll_up(store, hour).pods == 0
        assert contents(store) == again


def test_replicas_become_their_workload(store):
    """Three pods of a deployment are one caller without pod and node; their histograms are one."""
    store.add(batch_of([(POD, pod(number), 200, 0, 100 * number) for number in range(3)]))
    assert roll_up(store, NINE_HOUR + 1) == RolledUp(3, 3, 1)
    (caller,) = queries.callers(store.connection)
    assert (caller.workload, caller.container, caller.service_account) == ("deployment/web", "app", "shop/web")
    assert (caller.node, caller.pod, caller.pod_uid) == ("", "", "")
    ((count, durations),) = store.connection.execute("SELECT count, durations FROM tallies").fetchall()
    assert (count, sum(decode_durations(durations))) == (3, 3)


def test_what_is_recent_stays_apart(store):
    """Only hours before the given one are rolled up, and a pod that called since keeps its name for that."""
    store.add(batch_of([(POD, pod(0), 200, 0, 1), (POD, pod(0), 200, HOUR, 1)]))
    assert roll_up(store, NINE_HOUR + 1).pods == 1
    assert sorted(caller.pod for caller in queries.callers(store.connection)) == ["", "web-0"]
    (pods,) = store.connection.execute(
        "SELECT json_group_array(pod) FROM (SELECT pod FROM tallies JOIN callers ON callers.id = caller ORDER BY hour)"
    ).fetchone()
    assert pods == '["","web-0"]'


def test_a_pod_whose_workload_is_unknown_stays(store):
    """Nothing is guessed: there is nothing that its calls could count for."""
    store.add(batch_of([(POD, pod(3, ""), 200, 0, 1)]))
    assert roll_up(store, NINE_HOUR + 1) == RolledUp(0, 1, 1)
    assert [caller.pod for caller in queries.callers(store.connection)] == ["web-3"]


def test_crowded_names_become_other(store):
    """The replicas of a workload together may have named more objects than are kept of one caller."""
    calls = [(f"/api/v1/namespaces/a/pods/p{number}", pod(number % 2), 200, 0, 1) for number in range(100)]
    store.add(batch_of(calls))
    assert len(queries.object_names(store.connection)) == 100
    roll_up(store, NINE_HOUR + 1)
    assert [(row.name, row.count) for row in queries.object_names(store.connection)] == [(OTHER, 100)]


def test_reports_say_up_to_when_pods_are_not_told_apart(store):
    """And only those whose window reaches back so far; the later word stays."""
    store.add(batch_of([(POD, pod(0), 200, 0, 1)]), catalogue=CATALOGUE)
    roll_up(store, NINE_HOUR + 2)
    roll_up(store, NINE_HOUR + 1)
    (note,) = coverage_of(store, CATALOGUE).provenance.notes
    assert note == "Calls before 2026-06-01 11:00 UTC count for the workload of their pod: pods are not told apart."
    notes = coverage_of(store, CATALOGUE, window=Window(since=NINE_HOUR + 2)).provenance.notes
    assert not any("workload" in note for note in notes)


def test_coverage_by_workload_is_as_before(store):
    """What a report says of workloads does not depend on when the store was tidied up."""
    store.add(batch_of([(url, pod(number), 200, 0, 1) for number in range(3) for url in URLS]), catalogue=CATALOGUE)
    before = coverage_of(store, CATALOGUE, by=Dimension.WORKLOAD, callers=True)
    roll_up(store, NINE_HOUR + 1)
    after = coverage_of(store, CATALOGUE, by=Dimension.WORKLOAD, callers=True)
    assert (after.by, after.callers, after.findings) == (before.by, before.callers, before.findings)


def test_recordings_stay(store):
    """Which pod was recorded when is known for as long as before."""
    stretch = Recording("n0", "shop", "web-0", "u0", NINE, NINE + 60, "off")
    store.add(batch_of([(POD, pod(0), 200, 0, 1)]))
    with store.transaction():
        save_recordings(store.connection, [stretch])
    roll_up(store, NINE_HOUR + 1)
    assert recordings_in(store.connection) == [stretch]


def test_a_node_that_rolled_up_is_pulled_once(store, tmp_path):
    """Its next snapshot says the same in fewer tallies, and takes the place of the one before."""
    with Store.open(tmp_path / "node.db") as node:
        node.add(batch_of([(POD, pod(number), 200, 0, 1) for number in range(3)]))
        pull_into(store, node, node="n", taken=1.0)
        roll_up(node, NINE_HOUR + 1)
        pull_into(store, node, node="n", taken=2.0)
    assert calls_in(store) == 3
    assert [caller.pod for caller in queries.callers(store.connection)] == [""]
    assert queries.rolled_up_before(store.connection) == NINE_HOUR + 1


@given(st.lists(st.dictionaries(st.integers(0, 41), st.integers(1, 9)), min_size=1, max_size=5))
def test_adding_many_histograms_is_adding_them_one_by_one(histograms):
    """The aggregate that rolling up uses is the function that merging uses, many times."""
    texts = ["{" + ",".join(f'"{bucket}":{made[bucket]}' for bucket in sorted(made)) + "}" for made in histograms]
    added = DurationsSum()
    for text in texts:
        added.step(text)
    assert added.finalize() == reduce(merge_durations, texts, "{}")
