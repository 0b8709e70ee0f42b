"""Opening the SQLite file of a store."""

import os
import sqlite3
import time
from pathlib import Path

BUSY_SECONDS = 60.0
"""How long a writer waits for another; a fold takes well under a second."""
_PAUSE_SECONDS = 0.01
MAPPED = 1 << 30
"""Bytes of a file that is only read and may be mapped into memory, which saves copying its pages."""
MEMORY = ":memory:"


def connect(path: str, *, read_only: bool) -> sqlite3.Connection:
    """Open a file for reading, or for reading and writing; it need not be a store, nor exist in the second case.

    Reading does not ask for SQLite's own read-only mode, in which the files beside a store in WAL mode would stay when
    the last reader leaves; SQLite falls back to it for a file that cannot be written.
    """
    if path == MEMORY:
        return _open(path)
    if not read_only:
        return _open(f"{uri_of(path)}?mode=rwc")
    log = Path(f"{path}-wal")
    if not (os.access(path, os.W_OK, effective_ids=True) or log.exists() or Path(f"{path}-journal").exists()):
        return _open_unchanging(path)
    try:
        connection = _open(f"{uri_of(path)}?mode=rw")
    except sqlite3.OperationalError as error:
        if not is_unwritable(error) or log.exists():
            raise
        return _open_unchanging(path)
    connection.execute(f"PRAGMA mmap_size = {MAPPED}")
    return connection


def _open_unchanging(path: str) -> sqlite3.Connection:
    """Open a file that has no log beside it and cannot be written, leaving nothing beside it.

    In WAL mode even a reader needs to write beside the file, and one that cannot write the file itself leaves its log
    there. Without a log there is nothing to miss (https://www.sqlite.org/wal.html#read_only_databases).
    """
    return _open(f"{uri_of(path)}?immutable=1")


def is_unwritable(error: sqlite3.OperationalError) -> bool:
    """Tell whether a file could not be opened because nothing can be written beside it."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def uri_of(path: str) -> str:
    """Give the URI of a file, for SQLite."""
    return Path(path).absolute().as_uri()


def prepare_for_writing(connection: sqlite3.Connection) -> None:
    """Let several processes read and write at a time, on a file that is known to be a store."""
    _use_log(connection)
    # On a power cut NORMAL loses at most the last transactions, never consistency: an import then continues from the
    # position before them.
    connection.execute("PRAGMA synchronous = NORMAL")


def _use_log(connection: sqlite3.Connection) -> None:
    """Set WAL mode. Of several that do so at once all but one are turned away by SQLite without waiting: try again."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _open(target: str) -> sqlite3.Connection:
    connection = sqlite3.connect(target, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # only now is the file read
    except BaseException:
        connection.close()
        raise
    return connection
