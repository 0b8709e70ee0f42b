"""Keeping unfinished requests in the store, so that the end of a watch is known in the next file or on the next day."""

import sqlite3

from apisnoop.calls.audit.tracking import Beginning, Unfinished


def load_unfinished(connection: sqlite3.Connection) -> Unfinished:
    """Give the unfinished requests of a store, the oldest first."""
    rows = connection.execute("SELECT audit_id, verb, stage, started FROM unfinished ORDER BY started")
    return Unfinished([Beginning(*row) for row in rows])


def save_unfinished(connection: sqlite3.Connection, unfinished: Unfinished) -> None:
    """Save what changed since the last time, inside the caller's transaction."""
    added, removed = unfinished.changes()
    connection.executemany("DELETE FROM unfinished WHERE audit_id = ?", ((audit_id,) for audit_id in removed))
    connection.executemany(
        "INSERT OR REPLACE INTO unfinished (audit_id, verb, stage, started) VALUES (?, ?, ?, ?)", added
    )
