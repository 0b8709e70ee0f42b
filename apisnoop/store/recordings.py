"""Recordings in the store: when each pod of a node was recorded (`calls.recording` says what follows from them)."""

import sqlite3
from collections.abc import Iterable

import msgspec

from apisnoop.calls.recording import UNSAID, Recording

MOST = 100_000
"""Rows; the oldest go first. A node with 200 pods, each switched once a day, fills them in a year."""
_COLUMNS = Recording.__struct_fields__
_SAVE = f"""
    INSERT INTO recordings ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until), ended = max(ended, excluded.ended)
"""  # noqa: S608 - constants
_END = f"UPDATE recordings SET ended = '{UNSAID}' WHERE ended = ''"  # noqa: S608 - constants
_FORGET = "DELETE FROM recordings WHERE rowid IN (SELECT rowid FROM recordings ORDER BY until DESC LIMIT -1 OFFSET ?)"


def save_recordings(connection: sqlite3.Connection, recordings: Iterable[Recording], *, most: int = MOST) -> None:
    """Add recordings, or prolong and end those that are there already; inside the caller's transaction."""
    connection.executemany(_SAVE, (msgspec.structs.astuple(one) for one in recordings))
    connection.execute(_FORGET, (most,))


def end_recordings(connection: sqlite3.Connection) -> None:
    """End what goes on according to the store: whoever recorded it has gone, and did not say so."""
    connection.execute(_END)


def recordings_in(
    connection: sqlite3.Connection, since: float | None = None, until: float | None = None
) -> list[Recording]:
    """Return the recordings that touch a time, given in seconds since the epoch; None: open."""
    rows = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM recordings "  # noqa: S608 - constants
        "WHERE until >= ifnull(?, until) AND since <= ifnull(?, since) ORDER BY namespace, pod, pod_uid, since",
        (since, until),
    )
    return [Recording(*row) for row in rows]
