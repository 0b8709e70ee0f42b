"""The bookmark of an input: how far it has been read, and how it is known again under another name, or compressed.

A log is known by its first bytes (an audit event has an id of its own, so two logs differ there), a document by its
first record, for its first bytes say little; what was read of it by what lies before the position.
"""

import hashlib
import sqlite3
from typing import NamedTuple

import msgspec

from apisnoop.store.errors import StoreError

FINGERPRINT = 4096
"""Bytes compared at the beginning and before the position."""


class DiffersError(Exception):
    """An input is not the one that its bookmark was made for."""

    def __init__(self, bookmark: int | None) -> None:
        super().__init__()
        self.bookmark = bookmark or 0


class Bookmark(msgspec.Struct):
    """How far an input has been read; a row of the table imports."""

    path: str
    format: str
    head_length: int
    """Bytes that `head_digest` is of, fewer than `FINGERPRINT` for an input that was so short; 0: its first record."""
    head_digest: str
    started: float
    id: int | None = None
    position: int = 0
    """A byte where records are lines, else a number of records."""
    tail_digest: str = ""
    """Of the last bytes before the position, or of the last record."""
    lines: int = 0
    """Lines or records read."""
    calls: int = 0
    updated: float = 0.0
    problem: str = ""
    """How reading ended before its time, in words; empty otherwise."""


def digest(data: bytes) -> str:
    """Give a digest of some bytes, for knowing them again."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


class Mark(NamedTuple):
    """What an input is known again by: its first bytes, or its first record."""

    content: bytes
    is_record: bool = False

    @property
    def length(self) -> int:
        """The head_length of a bookmark made for it."""
        return 0 if self.is_record else len(self.content)

    def bookmarks(self, connection: sqlite3.Connection) -> list[Bookmark]:
        """Give the bookmarks that may be of this input, the furthest first."""
        statement = "SELECT DISTINCT head_length FROM imports WHERE head_length BETWEEN ? AND ?"
        lengths = connection.execute(statement, (0 if self.is_record else 1, self.length)).fetchall()
        found = [bookmark for (length,) in lengths for bookmark in self._of_length(connection, length)]
        return sorted(found, key=lambda bookmark: bookmark.position, reverse=True)

    def _of_length(self, connection: sqlite3.Connection, length: int) -> list[Bookmark]:
        head = self.content if self.is_record else self.content[:length]
        columns = ", ".join(Bookmark.__struct_fields__)
        statement = f"SELECT {columns} FROM imports WHERE head_digest = ? AND head_length = ?"  # noqa: S608 - constants
        return [Bookmark(*row) for row in connection.execute(statement, (digest(head), length))]


def add_bookmark(connection: sqlite3.Connection, bookmark: Bookmark, mark: Mark, foreign: set[int]) -> Bookmark:
    """Keep a new bookmark, inside the caller's transaction; `foreign` are those known to be of another input.

    Another process may have begun with the same input in the meantime: then its bookmark is the one, and the first of
    the two to save it wins.
    """
    for known in mark.bookmarks(connection):
        if known.id not in foreign:
            return known
    fields = msgspec.structs.asdict(bookmark)
    statement = f"INSERT INTO imports ({', '.join(fields)}) VALUES ({', '.join(f':{name}' for name in fields)})"  # noqa: S608 - constants
    bookmark.id = connection.execute(statement, fields).lastrowid
    return bookmark


def is_of(connection: sqlite3.Connection, bookmarks: set[int], path: str) -> bool:
    """Tell whether one of these bookmarks was last of an input with that name."""
    found = connection.execute("SELECT id FROM imports WHERE path = ?", (path,))
    return not bookmarks.isdisjoint(number for (number,) in found)


def save_bookmark(connection: sqlite3.Connection, bookmark: Bookmark, before: int) -> None:
    """Save a bookmark whose position was `before` when it was last saved, inside the caller's transaction.

    Raises StoreError if that is true no more: then another process reads the same input at the same time.
    """
    fields = msgspec.structs.asdict(bookmark)
    changes = ", ".join(f"{name} = :{name}" for name in fields if name != "id")
    statement = f"UPDATE imports SET {changes} WHERE id = :id AND position = :before"  # noqa: S608 - constants
    if connection.execute(statement, fields | {"before": before}).rowcount == 0:
        raise StoreError(
            f"input {bookmark.path} is being imported into this store by another process: "
            "let it finish; what it reads is counted once"
        )
