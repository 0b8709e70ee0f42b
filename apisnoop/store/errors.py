"""What can be wrong with a store, told in one line: the file, what happened, the next step."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from apisnoop.errors import ApisnoopError


class StoreError(ApisnoopError):
    """The store cannot be opened, read or written; what it held before is untouched."""


# Primary result codes: https://www.sqlite.org/rescode.html
REMEDIES = {
    sqlite3.SQLITE_NOTADB: "is not an apisnoop store: name another file",
    sqlite3.SQLITE_CORRUPT: "is damaged: try `sqlite3 FILE .recover`, or name another file",
    sqlite3.SQLITE_READONLY: "cannot be written: check its permissions, or name another file",
    sqlite3.SQLITE_PERM: "cannot be written: check its permissions, or name another file",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder exists and can be written",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space and run the command again; nothing is lost",
    sqlite3.SQLITE_IOERR: "cannot be read or written: check the disk, then run the command again; nothing is lost",
    sqlite3.SQLITE_BUSY: "is kept locked by another process: wait for it to end, then run the command again",
    sqlite3.SQLITE_LOCKED: "is kept locked by another process: wait for it to end, then run the command again",
}


@contextmanager
def store_errors(path: str) -> Iterator[None]:
    """Turn SQLite's failures about the store at `path` into a StoreError; programming errors pass through."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        remedy = REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if remedy is None:
            raise
        raise StoreError(f"store {path} {remedy} (SQLite: {error})") from error
