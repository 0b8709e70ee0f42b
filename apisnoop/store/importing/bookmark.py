"""The bookmark of an input: how far it has been read, and how it is known again under another name, or compressed.

An input is known by its first bytes (an audit event has an id of its own, so two logs differ there), and what was read
of it by the last bytes before the position. Both are of the decompressed contents.
"""

import hashlib
import sqlite3

import msgspec

from apisnoop.store.errors import StoreError

FINGERPRINT = 4096
"""Bytes compared at the beginning and before the position."""


class Bookmark(msgspec.Struct):
    """How far an input has been read; a row of the table imports."""

    path: str
    format: str
    head_length: int
    """Bytes that `head_digest` is of; fewer than `FINGERPRINT` for an input that was so short."""
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


def bookmarks_of(connection: sqlite3.Connection, head: bytes) -> list[Bookmark]:
    """Give the bookmarks that may be of the input which begins so, the furthest first."""
    found = []
    lengths = connection.execute("SELECT DISTINCT head_length FROM imports WHERE head_length <= ?", (len(head),))
    for (length,) in lengths.fetchall():
        rows = connection.execute(
            f"SELECT {', '.join(Bookmark.__struct_fields__)} FROM imports "  # noqa: S608 - constants
            "WHERE head_digest = ? AND head_length = ?",
            (digest(head[:length]), length),
        )
        found += [Bookmark(*row) for row in rows]
    return sorted(found, key=lambda bookmark: bookmark.position, reverse=True)


def add_bookmark(connection: sqlite3.Connection, bookmark: Bookmark, head: bytes, others: set[int]) -> Bookmark:
    """Keep a new bookmark, inside the caller's transaction; `others` are those known to be of another input.

    Another process may have begun with the same input in the meantime: then its bookmark is the one, and the first of
    the two to save it wins.
    """
    for known in bookmarks_of(connection, head):
        if known.id not in others:
            return known
    fields = msgspec.structs.asdict(bookmark)
    statement = f"INSERT INTO imports ({', '.join(fields)}) VALUES ({', '.join(f':{name}' for name in fields)})"  # noqa: S608 - constants
    bookmark.id = connection.execute(statement, fields).lastrowid
    return bookmark


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
