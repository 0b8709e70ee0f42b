"""Recordings in the store."""

import pytest

from apisnoop.calls.recording import UNSAID, Recording
from apisnoop.store.clear import clear
from apisnoop.store.merge import merge_into
from apisnoop.store.recordings import end_recordings, recordings_in, save_recordings
from apisnoop.store.store import Store


def recording(since, until, ended="", uid="u1"):
    """Make a recording of a pod."""
    return Recording("n1", "shop", f"web-{uid}", uid, since, until, ended)


@pytest.fixture
def store():
    """An empty store in memory."""
    with Store.open(":memory:") as store:
        yield store


def save(store, *recordings, **options):
    """Save recordings as a ledger does."""
    with store.transaction():
        save_recordings(store.connection, recordings, **options)


def test_a_recording_that_goes_on_grows(store):
    """One that began at the same moment is the same, and its end is the later one."""
    save(store, recording(1, 5))
    save(store, recording(1, 9))
    assert recordings_in(store.connection) == [recording(1, 9)]


def test_an_end_is_not_taken_back(store):
    """A late word that it goes on does not open it again."""
    save(store, recording(1, 5, "off"))
    save(store, recording(1, 5))
    assert recordings_in(store.connection) == [recording(1, 5, "off")]


def test_what_nobody_has_ended_is_ended_by_the_next(store):
    """A recorder that finds recordings going on knows that its predecessor was killed."""
    save(store, recording(1, 5), recording(1, 2, "off", "u2"))
    end_recordings(store.connection)
    assert recordings_in(store.connection) == [recording(1, 5, UNSAID), recording(1, 2, "off", "u2")]


def test_a_window_takes_what_touches_it(store):
    """A recording that began before the window and ended in it was looking."""
    save(store, recording(1, 5), recording(6, 9), recording(20, 30))
    assert recordings_in(store.connection, since=5, until=6) == [recording(1, 5), recording(6, 9)]


def test_the_oldest_go_when_there_are_too_many(store):
    """Pods that come and go for years do not fill the disk."""
    save(store, *(recording(moment, moment + 0.5, "off") for moment in range(20)), most=5)
    assert [one.since for one in recordings_in(store.connection)] == [15, 16, 17, 18, 19]


def test_merging_has_no_order(tmp_path):
    """Two snapshots of one node agree on one recording, whichever is merged first."""
    for name, recordings in {"a": [recording(1, 5)], "b": [recording(1, 9, "off"), recording(2, 3, "", "u2")]}.items():
        with Store.open(tmp_path / f"{name}.db") as store:
            save(store, *recordings)
    found = []
    for order in ("ab", "ba"):
        with Store.open(":memory:") as merged:
            for name in order:
                with Store.open(tmp_path / f"{name}.db", read_only=True) as part:
                    merge_into(merged, part)
            found.append(recordings_in(merged.connection))
    assert found[0] == found[1] == [recording(1, 9, "off"), recording(2, 3, "", "u2")]


def test_clearing_forgets_them(store):
    """What is cleared by time goes with the calls of that time."""
    save(store, recording(1, 3000), recording(1, 8000, "", "u2"))
    clear(store, 1)
    assert recordings_in(store.connection) == [recording(1, 8000, "", "u2")]
    clear(store)
    assert recordings_in(store.connection) == []


def test_a_copy_is_a_store(tmp_path):
    """A snapshot holds what the store holds at that moment, and opens like any store."""
    with Store.open(tmp_path / "live.db") as store:
        save(store, recording(1, 5))
        store.copy_to(tmp_path / "copy.db")
        save(store, recording(6, 7))
    with Store.open(tmp_path / "copy.db", read_only=True) as copy:
        assert recordings_in(copy.connection) == [recording(1, 5)]
