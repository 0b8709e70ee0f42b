"""Remembering audit ids."""

import pytest

from apisnoop.store.importing.seen import GENERATIONS, SeenIds, number_of
from apisnoop.store.store import Store


@pytest.fixture
def store():
    with Store.open(":memory:") as opened:
        yield opened


def counted(seen, store, ids):
    new = [audit_id for audit_id in ids if seen.is_new(audit_id)]
    with store.transaction():
        seen.save()
    return new


def test_an_id_is_new_once(store):
    """In one transaction, over transactions, and for the next process."""
    seen = SeenIds(store.connection)
    assert counted(seen, store, ["a", "b", "a"]) == ["a", "b"]
    assert counted(seen, store, ["b", "c"]) == ["c"]
    assert counted(SeenIds(store.connection), store, ["a", "b", "c", "d"]) == ["d"]


def test_what_was_not_saved_was_not_seen(store):
    """Ids of an import that was killed before its commit are new for the next one, like its calls."""
    SeenIds(store.connection).is_new("a")
    assert SeenIds(store.connection).is_new("a")


def test_an_event_without_an_id_is_always_new(store):
    """HAR entries and old logs have none; they are not copies of one another."""
    seen = SeenIds(store.connection)
    assert [seen.is_new(""), seen.is_new("")] == [True, True]


def test_memory_is_bounded_and_forgetting_is_told(store):
    """Beyond the cap the oldest are forgotten, the newest never."""
    seen = SeenIds(store.connection, cap=100)
    ids = [f"id-{number}" for number in range(300)]
    for start in range(0, 300, 5):
        counted(seen, store, ids[start : start + 5])
    kept = store.connection.execute("SELECT count(*) FROM seen_ids").fetchone()[0]
    assert 100 - 100 // GENERATIONS <= kept <= 100
    assert seen.forgotten
    fresh = SeenIds(store.connection, cap=100)
    assert fresh.is_new("id-0")
    assert not any(fresh.is_new(audit_id) for audit_id in ids[-70:])


def test_a_number_is_the_same_everywhere():
    """Ids are compared between processes and machines, so their numbers must not depend on either."""
    assert number_of("8c604d8d-368c-4294-9cfa-e361b4cbbefa") == 1702919001564240266
    assert 0 <= number_of("x") < 1 << 63
