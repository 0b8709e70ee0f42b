"""Clearing a store: all of it, or what is older than an hour. The space is given back to the disk where possible."""

import sqlite3

from apisnoop.store.schema import GIVE_IDENTITY, TABLES
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR

# Bookmarks (imports), seen ids and origins stay: what was cleared must not come back with the next import of the same
# file, nor with the next snapshot of the same node.
OLDER = (
    "DELETE FROM tallies WHERE hour < :hour",
    "DELETE FROM object_names WHERE last_hour < :hour",
    "UPDATE object_names SET first_hour = :hour WHERE first_hour < :hour",
    "DELETE FROM runs WHERE started < :moment AND coalesce(ended, started) < :moment",
    "DELETE FROM losses WHERE last > 0 AND last < :moment",
    "DELETE FROM recordings WHERE until < :moment",
    "DELETE FROM unfinished WHERE started < :moment",
    "DELETE FROM unfinished_accesses WHERE audit_id NOT IN (SELECT audit_id FROM unfinished)",
    "DELETE FROM standings WHERE asked < :moment",
    "UPDATE origins SET since_hour = max(since_hour, :hour)",
    "UPDATE origins SET calls = 0",
    """
    UPDATE origins SET calls = held.calls FROM (
        SELECT origin, sum(count) AS calls FROM tallies JOIN callers ON callers.id = caller GROUP BY origin
    ) AS held WHERE held.origin = origins.id
    """,
)
POINTING = ("tallies", "object_names", "unfinished_accesses")
UNUSED = {
    "targets": "target",
    "actions": "action",
    "callers": "caller",
    "namespaces": "namespace",
}


def clear(store: Store, before_hour: int | None = None) -> int:
    """Delete everything, or all calls before an hour (since the epoch); give the number of calls deleted.

    Deleting everything also forgets which inputs were read, so they can be imported again, and makes it another store
    to those who have pulled it: they keep what they have.
    """
    connection = store.connection
    hour = before_hour if before_hour is not None else 1 << 40
    counted = "SELECT coalesce(sum(count), 0) FROM tallies WHERE hour < ?"
    with store.transaction():
        calls: int = connection.execute(counted, (hour,)).fetchone()[0]
        if before_hour is None:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            connection.execute(GIVE_IDENTITY)
        else:
            _clear_older(connection, hour)
    give_back(store)
    return calls


def _clear_older(connection: sqlite3.Connection, hour: int) -> None:
    for statement in OLDER:
        connection.execute(statement, {"hour": hour, "moment": hour * HOUR})
    for table, column in UNUSED.items():
        unused = " AND ".join(f"id NOT IN (SELECT {column} FROM {user})" for user in POINTING)  # noqa: S608 - constants
        connection.execute(f"DELETE FROM {table} WHERE {unused}")  # noqa: S608


def give_back(store: Store) -> None:
    """Shrink the file; when another process reads it, or the disk is full, its free pages are used again later."""
    try:
        store.connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL):
            raise
