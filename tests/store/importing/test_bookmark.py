"""Bookmarks: knowing inputs again."""

import pytest

from apisnoop.store.errors import StoreError
from apisnoop.store.importing.bookmark import Bookmark, Mark, add_bookmark, digest, save_bookmark
from apisnoop.store.store import Store


@pytest.fixture
def connection():
    with Store.open(":memory:") as store:
        yield store.connection


def bookmark(mark, position=0):
    return Bookmark("audit.log", "audit", mark.length, digest(mark.content), started=1.0, position=position)


def test_a_longer_beginning_finds_a_shorter_one(connection):
    """A file that had 10 bytes when it was first read is known when it has more; another one is not."""
    kept = add_bookmark(connection, bookmark(Mark(b"0123456789"), 10), Mark(b"0123456789"), set())
    assert [found.id for found in Mark(b"0123456789abc").bookmarks(connection)] == [kept.id]
    assert Mark(b"01234567").bookmarks(connection) == []
    assert Mark(b"0123456780abc").bookmarks(connection) == []


def test_the_furthest_is_tried_first(connection):
    """Of several that may be meant, the one with the most behind it."""
    for content, position in ((b"01", 2), (b"0123", 400), (b"012", 3)):
        add_bookmark(connection, bookmark(Mark(content), position), Mark(b"unknown"), set())
    assert [found.position for found in Mark(b"01234").bookmarks(connection)] == [400, 3, 2]


def test_a_record_is_no_beginning(connection):
    """A document known by its first record is not found by bytes, and the other way round."""
    record = Mark(b"{}", is_record=True)
    add_bookmark(connection, bookmark(record, 5), record, set())
    assert Mark(b"{}").bookmarks(connection) == []
    assert [found.position for found in record.bookmarks(connection)] == [5]
    assert Mark(b"{} ", is_record=True).bookmarks(connection) == []


def test_a_bookmark_made_in_the_meantime_is_used(connection):
    """Two processes that begin with the same input share one bookmark, unless it is known to be another's."""
    mark = Mark(b"0123")
    first = add_bookmark(connection, bookmark(mark), mark, set())
    assert add_bookmark(connection, bookmark(mark), mark, set()).id == first.id
    assert add_bookmark(connection, bookmark(mark), mark, {first.id or 0}).id != first.id


def test_the_second_to_save_is_told(connection):
    """Whoever commits first has counted; the other must not count the same again."""
    mark = Mark(b"0123")
    ours = add_bookmark(connection, bookmark(mark), mark, set())
    theirs = add_bookmark(connection, bookmark(mark), mark, set())
    ours.position = 100
    save_bookmark(connection, ours, 0)
    theirs.position = 50
    with pytest.raises(StoreError, match=r"input audit\.log is being imported into this store by another process"):
        save_bookmark(connection, theirs, 0)
    assert [found.position for found in mark.bookmarks(connection)] == [100]
