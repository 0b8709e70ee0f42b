"""Folding a batch into the tables, inside the caller's transaction and within the caps."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from apisnoop.calls.durations import encode_durations
from apisnoop.calls.tally import OTHER, Loss, LossCount, Tally, TallyBatch, TallyKey
from apisnoop.store.caps import Caps
from apisnoop.store.dimensions import Dimensions, Ids

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
        last = max(last, excluded.last), example = iif(example = '', excluded.example, example)
"""
KNOWN_TALLY = """
    SELECT 1 FROM tallies WHERE target = ? AND action = ? AND caller = ? AND namespace = ? AND status = ? AND hour = ?
"""
KNOWN_NAMES = "SELECT name FROM object_names WHERE target = ? AND action = ? AND caller = ? AND namespace = ?"


class Row(NamedTuple):
    """A tally with the numbers it is kept under."""

    ids: Ids
    status: int
    hour: int
    tally: Tally


@dataclass(slots=True)
class NameUse:
    """How often a name was used, and in which hours."""

    count: int
    first_hour: int
    last_hour: int

    def add(self, count: int, hour: int) -> None:
        """Count more uses, in one hour."""
        self.count += count
        self.first_hour = min(self.first_hour, hour)
        self.last_hour = max(self.last_hour, hour)


def fold_batch(connection: sqlite3.Connection, batch: TallyBatch, caps: Caps) -> None:
    """Add every tally, name and loss of a batch."""
    dimensions = Dimensions(connection, caps)
    is_full = size_of(connection) >= caps.bytes
    rows = [_row(connection, dimensions, key, tally, is_full=is_full) for key, tally in batch.tallies()]
    rows.sort(key=lambda row: row[:3])  # in the order of the table: neighbours share pages
    connection.executemany(ADD_TALLY, map(_tally_values, rows))
    connection.executemany(ADD_NAME, _name_values(connection, rows, 0 if is_full else caps.names))
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


def _name_values(connection: sqlite3.Connection, rows: list[Row], cap: int) -> Iterator[tuple[int | str, ...]]:
    """Give the names of all tallies by their numbers; `cap` names are told apart, and all that are known already."""
    by_ids: dict[Ids, dict[str, NameUse]] = {}
    for ids, _, hour, tally in rows:
        uses = by_ids.setdefault(ids, {}) if tally.names else {}
        for name, count in tally.names.items():
            uses.setdefault(name, NameUse(0, hour, hour)).add(count, hour)
    for ids, uses in by_ids.items():
        kept = {name for (name,) in connection.execute(KNOWN_NAMES, ids)} | {OTHER}
        room = max(0, cap + 1 - len(kept))
        kept.update([name for name in uses if name not in kept][:room])
        for name, use in uses.items():
            yield *ids, name if name in kept else OTHER, use.count, use.first_hour, use.last_hour


def _loss_values(
    connection: sqlite3.Connection, losses: Iterable[tuple[Loss, LossCount]], cap: int
) -> Iterator[tuple[str | int | float, ...]]:
    known = {Loss(*row) for row in connection.execute("SELECT source, reason, detail FROM losses")}
    for loss, lost in losses:
        kept = loss if loss in known or len(known) < cap else Loss(OTHER, loss.reason)
        known.add(kept)
        yield *kept, lost.count, lost.first, lost.last, lost.example
