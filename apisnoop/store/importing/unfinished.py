"""Keeping unfinished requests in the store, so that the end of a watch is known in the next file or on the next day.

What such a request does is kept beside it, for the rights it needs; it is no call before it has ended.
"""

import sqlite3

from apisnoop.calls.audit.tracking import Access, Beginning, Unfinished
from apisnoop.calls.tally import TallyKey
from apisnoop.store.dimensions import Dimensions
from apisnoop.store.store import Store

FORGET_REQUEST = "DELETE FROM unfinished WHERE audit_id = ?"
FORGET_ACCESS = "DELETE FROM unfinished_accesses WHERE audit_id = ?"
ADD_REQUEST = "INSERT OR REPLACE INTO unfinished (audit_id, verb, stage, started) VALUES (?, ?, ?, ?)"
ADD_ACCESS = "INSERT INTO unfinished_accesses VALUES (?, ?, ?, ?, ?, ?)"


def load_unfinished(connection: sqlite3.Connection) -> Unfinished:
    """Give the unfinished requests of a store, the oldest first; what they do stays in the store."""
    rows = connection.execute("SELECT audit_id, verb, stage, started FROM unfinished ORDER BY started")
    return Unfinished([Beginning(*row) for row in rows])


def save_unfinished(store: Store, unfinished: Unfinished) -> None:
    """Save what changed since the last time, inside the caller's transaction."""
    connection = store.connection
    added, removed = unfinished.changes()
    for statement in (FORGET_REQUEST, FORGET_ACCESS):
        connection.executemany(statement, ((audit_id,) for audit_id in removed))
    connection.executemany(ADD_REQUEST, ((b.audit_id, b.verb, b.stage, b.started) for b in added))
    _add_accesses(store, [(b.audit_id, b.access) for b in added if b.access])


def _add_accesses(store: Store, found: list[tuple[str, Access]]) -> None:
    """Save what requests do; one that is read again, from another source, is still one."""
    if not found:
        return
    connection, dimensions = store.connection, Dimensions(store.connection, store.caps)
    for audit_id, access in found:
        target, caller, verb, detail, namespace, name = access
        ids = dimensions.ids(TallyKey(target, caller, verb, detail, namespace, status=0, hour=0))
        connection.execute(FORGET_ACCESS, (audit_id,))
        connection.execute(ADD_ACCESS, (audit_id, *ids, name))
