"""Folding a batch into the tables, inside the caller's transaction."""

import sqlite3

from apisnoop.calls.durations import encode_durations
from apisnoop.calls.tally import Tally, TallyBatch, TallyKey
from apisnoop.store.caps import Caps
from apisnoop.store.dimensions import Dimensions

ADD_TALLY = """
    INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), durations = merge_durations(durations, excluded.durations)
"""
ADD_NAME = """
    INSERT INTO object_names VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first_hour = min(first_hour, excluded.first_hour),
        last_hour = max(last_hour, excluded.last_hour)
"""
ADD_LOSS = """
    INSERT INTO losses (source, reason, detail, count, first, last, example) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), example = CASE WHEN example = '' THEN excluded.example
        WHEN excluded.example = '' THEN example ELSE min(example, excluded.example) END
"""


def fold_batch(connection: sqlite3.Connection, batch: TallyBatch, caps: Caps) -> None:
    """Add every tally, name and loss of a batch."""
    dimensions = Dimensions(connection, caps)
    rows = [(dimensions.ids(key), key, tally) for key, tally in batch.tallies()]
    rows.sort(key=lambda row: row[0])  # in the order of the table: neighbours share pages
    connection.executemany(ADD_TALLY, (_tally_row(ids, key, tally) for ids, key, tally in rows))
    connection.executemany(
        ADD_NAME,
        ((*ids, name, count, key.hour, key.hour) for ids, key, tally in rows for name, count in tally.names.items()),
    )
    connection.executemany(
        ADD_LOSS,
        (
            (loss.source, loss.reason, loss.detail, lost.count, lost.first, lost.last, lost.example)
            for loss, lost in batch.losses.items()
        ),
    )


def _tally_row(ids: tuple[int, int, int, int], key: TallyKey, tally: Tally) -> tuple[int | float | str, ...]:
    return (*ids, key.status, key.hour, tally.count, tally.first, tally.last, encode_durations(tally.durations))
