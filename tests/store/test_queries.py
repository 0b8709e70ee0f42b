"""The questions reports ask."""

from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.caller import Caller
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR, Window
from tests.store.batches import CALLERS, NINE, batch_of, called

NINE_HOUR = int(NINE) // HOUR


def inside(calls, since, until):
    return [call for call in calls if since <= (int(NINE) + call[3]) // HOUR < until]


@settings(deadline=None)
@given(st.lists(called, max_size=20), st.integers(0, 6), st.integers(0, 6))
def test_answers_are_what_counting_by_hand_gives(calls, first, length):
    """Uses, uses by group and accesses agree with the calls themselves, within any window."""
    since, until = NINE_HOUR + first, NINE_HOUR + first + length
    window, wanted = Window(since, until), inside(calls, since, until)
    with Store.open(":memory:") as store:
        store.add(batch_of(calls))
        connection = store.connection
        uses = queries.uses(connection, window)
        assert sum(use.ok for use in uses) == sum(100 <= call[2] < 400 for call in wanted)
        assert sum(use.ok + use.errors for use in uses) == len(wanted)
        accesses = queries.accesses(connection, window)
        assert sum(access.calls for access in accesses) == len(wanted)
        assert sum(access.refused for access in accesses) == sum(call[2] in (401, 403) for call in wanted)
        assert sum(access.created for access in accesses) == sum(call[2] == 201 for call in wanted)
        assert sum(access.missing for access in accesses) == sum(call[2] == 404 for call in wanted)
        groups = {caller.id: CALLERS.index(_caller(caller)) for caller in queries.callers(connection)}
        by_group = queries.uses_by_group(
            connection, groups, [target.id for target in queries.targets(connection)], window
        )
        counted = dict.fromkeys(range(len(CALLERS)), 0)
        for use in by_group:
            counted[use.group] += use.ok + use.errors
        assert counted == {n: sum(call[1] == caller for call in wanted) for n, caller in enumerate(CALLERS)}


def _caller(row):
    return Caller(*(getattr(row, name) for name in Caller.__struct_fields__))


def test_names_are_kept_with_the_window_of_their_use():
    """A name used only before the window is not in it."""
    with Store.open(":memory:") as store:
        store.add(batch_of([("/api/v1/namespaces/a/pods/old", CALLERS[0], 200, 0, 1)]))
        store.add(batch_of([("/api/v1/namespaces/a/pods/new", CALLERS[0], 200, 2 * HOUR, 1)]))
        names = queries.object_names(store.connection, Window(since=NINE_HOUR + 1))
        assert [(row.name, row.count, row.verb, row.namespace) for row in names] == [("new", 1, "get", "a")]


def test_losses_come_most_frequent_first():
    """What is missing most is told first, with its example."""
    with Store.open(":memory:") as store:
        store.add(batch_of([], [("not-json", 1, "line 1"), ("too-long", 5, "")]))
        assert [(row.reason, row.count, row.example) for row in queries.losses(store.connection)] == [
            ("too-long", 5, ""),
            ("not-json", 1, "line 1"),
        ]


def test_every_view_can_be_read():
    """What docs/store.md offers to people works, and its words are words."""
    with Store.open(":memory:") as store:
        store.add(
            batch_of([(url, CALLERS[0], 404, 0, 5000) for url in ("/api/v1/namespaces/a/pods/p", "/random/path")])
        )
        rows = {view: store.db.view(view) for view in store.db.view_names()}
        assert sorted(rows) == ["calls", "calls_by_caller", "calls_by_operation", "findings"]
        found = {name: list(view.rows) for name, view in rows.items()}
    assert [row["operation"] for row in found["calls_by_operation"]] == ["readCoreV1NamespacedPod"]
    assert [(row["finding"], row["calls"]) for row in found["findings"]] == [("unknown-path", 1)]
    assert [(row["pod"], row["calls"], row["targets"]) for row in found["calls_by_caller"]] == [("web-1", 2, 2)]
    assert {row["hour"] for row in found["calls"]} == {"2026-06-01 09:00:00"}
