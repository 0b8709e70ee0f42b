"""Clearing a store."""

from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.store import queries
from apisnoop.store.clear import clear
from apisnoop.store.importing.importer import Importer
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR, Window
from tests.calls.sample import CATALOGUE, line, log
from tests.store.batches import CALLERS, NINE, batch_of, batches
from tests.store.contents import calls_in, contents

NINE_HOUR = int(NINE) // HOUR


def test_a_cleared_store_is_as_new(store, tmp_path):
    """Nothing is left, the file has shrunk, and inputs can be imported again."""
    (tmp_path / "audit.log").write_bytes(log(range(10)) + line(11, stage="RequestReceived"))
    empty = contents(store)
    Importer(store, CATALOGUE).run(str(tmp_path / "audit.log"))
    store.add(batch_of([(f"/random-{n}/path", CALLERS[0], 404, 0, 1) for n in range(3000)]))
    store.save_run(queries.RunRow("r", "kubectl", "h", NINE, None, None, 1, "1"))
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    assert clear(store) == 3010
    assert contents(store) == empty
    assert store.connection.execute("PRAGMA page_count").fetchone()[0] < pages / 2
    assert Importer(store, CATALOGUE).run(str(tmp_path / "audit.log")).calls == 10


def test_clearing_what_is_old_keeps_the_rest(store, tmp_path):
    """Calls before the hour are gone and do not come back; later ones, and what was imported, stay."""
    (tmp_path / "audit.log").write_bytes(log([0, 3599, 3600, 9000]) + line(1, stage="RequestReceived", auditID="x"))
    Importer(store, CATALOGUE).run(str(tmp_path / "audit.log"))
    store.save_run(queries.RunRow("old", "kubectl", "h", NINE, NINE + 5, 0, 1, "1"))
    store.save_run(queries.RunRow("open", "kubectl", "h", NINE, NINE + 4000, 0, 1, "1"))
    assert clear(store, NINE_HOUR + 1) == 2
    assert calls_in(store) == 2
    assert [(name.name, name.count) for name in queries.object_names(store.connection)] == [("web-1", 4)]
    assert [run.id for run in queries.runs(store.connection)] == ["open"]
    assert queries.unfinished(store.connection) == []
    assert Importer(store, CATALOGUE).run(str(tmp_path / "audit.log")).calls == 0
    assert calls_in(store) == 2


def test_dimensions_that_nothing_uses_go_too(store):
    """A caller that only old calls came from is not kept for nothing."""
    store.add(
        batch_of([("/random/a", CALLERS[0], 404, 0, 1), ("/api/v1/namespaces/a/pods/p", CALLERS[1], 200, HOUR, 1)])
    )
    clear(store, NINE_HOUR + 1)
    assert [caller.user for caller in queries.callers(store.connection)] == ["alice"]
    assert [target.kind for target in queries.targets(store.connection)] == ["operation"]


def test_space_is_given_back_later_when_somebody_reads(store, tmp_path):
    """An open reader keeps the file from shrinking, not the calls from being deleted."""
    store.add(batch_of([(f"/random-{n}/path", CALLERS[0], 404, 0, 1) for n in range(100)]))
    store.connection.execute("PRAGMA busy_timeout = 10")
    with Store.open(tmp_path / "apisnoop.db", read_only=True) as reader:
        reader.connection.execute("BEGIN")
        reader.connection.execute("SELECT * FROM tallies").fetchone()
        assert clear(store) == 100
    assert calls_in(store) == 0


@settings(deadline=None)
@given(batches, st.integers(-1, 6))
def test_clearing_is_what_a_window_would_leave_out(batch, hours):
    """After clearing, the whole store says what the window from that hour on said before."""
    since = NINE_HOUR + hours
    with Store.open(":memory:") as store:
        store.add(batch)
        kept = [(use.verb, use.ok, use.errors) for use in queries.uses(store.connection, Window(since=since))]
        clear(store, since)
        assert [(use.verb, use.ok, use.errors) for use in queries.uses(store.connection)] == kept
