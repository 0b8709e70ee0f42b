"""Folding a batch into the tables, inside the caller's transaction and within the caps."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from apisnoop.calls.durations import encode_durations
from apisnoop.calls.tally import OTHER, Loss, LossCount, Tally, TallyBatch, TallyKey
from apisnoop.store.caps import Caps
from apisnoop.store.dimensions import Dimensions, Ids
from apisnoop.store.names import add_names, gather

ADD_TALLY = """
    INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), durations = merge_durations(durations, excluded.durations)
"""
ADD_LOSS = """
    INSERT INTO losses (origin, source, reason, detail, count, first, last, example)
    VALUES ('', ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), example = iif(example = '', excluded.example, example)
"""
KNOWN_TALLY = """
    SELECT 1 FROM tallies WHERE target = ? AND action = ? AND caller = ? AND namespace = ? AND status = ? AND hour = ?
"""


class Row(NamedTuple):
    """A tally with the numbers it is kept under."""

    ids: Ids
    status: int
    hour: int
    tally: Tally


def fold_batch(connection: sqlite3.Connection, batch: TallyBatch, caps: Caps) -> None:
    """Add every tally, name and loss of a batch."""
    dimensions = Dimensions(connection, caps)
    is_full = size_of(connection) >= caps.bytes
    rows = [_row(connection, dimensions, key, tally, is_full=is_full) for key, tally in batch.tallies()]
    rows.sort(key=lambda row: row[:3])  # in the order of the table: neighbours share pages
    connection.executemany(ADD_TALLY, map(_tally_values, rows))
    names = gather((row.ids, row.hour, row.tally.names) for row in rows)
    add_names(connection, names, 0 if is_full else caps.names)
    connection.executemany(ADD_LOSS, _loss_values(connection, batch.losses.items(), caps.losses))


def size_of(connection: sqlite3.Connection) -> int:
    """Give the bytes of a store that hold something."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _row(connection: sqlite3.Connection, dimensions: Dimensions, key: TallyKey, tally: Tally, *, is_full: bool) -> Row:
    ids = dimensions.ids(key)
    if is_full and connection.execute(KNOWN_TALLY, (*ids, key.status, key.hour)).fetchone() is None:
        ids = dimensions.coarse_ids(key)
    return Row(ids, key.status, key.hour, tally)


def _tally_values(row: Row) -> tuple[int | float | str, ...]:
    ids, status, hour, tally = row
    return (*ids, status, hour, tally.count, tally.first, tally.last, encode_durations(tally.durations))


def _loss_values(
    connection: sqlite3.Connection, losses: Iterable[tuple[Loss, LossCount]], cap: int
) -> Iterator[tuple[str | int | float, ...]]:
    known = {Loss(*row) for row in connection.execute("SELECT source, reason, detail FROM losses WHERE origin = ''")}
    for loss, lost in losses:
        kept = loss if loss in known or len(known) < cap else Loss(OTHER, loss.reason)
        known.add(kept)
        yield *kept, lost.count, lost.first, lost.last, lost.example
