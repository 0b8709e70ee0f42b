"""Audit ids that were counted, for sources that overlap (`--dedupe-ids`): an event that comes twice counts once.

Ids are kept as 63-bit numbers, at most `cap` of them; beyond that the oldest half is forgotten. Two ids of ten million
share a number with a probability of one in a hundred thousand.
"""

import sqlite3
from hashlib import blake2b

CAP = 10_000_000
GENERATIONS = 4
"""The cap is kept by forgetting one of so many generations at a time."""


class SeenIds:
    """The ids seen before, in the store, and those of the current transaction."""

    def __init__(self, connection: sqlite3.Connection, cap: int = CAP) -> None:
        self._connection = connection
        self._per_generation = max(1, cap // GENERATIONS)
        self._new: dict[int, None] = {}
        generation, size = connection.execute(
            "SELECT generation, count(*) FROM seen_ids GROUP BY generation ORDER BY generation DESC LIMIT 1"
        ).fetchone() or (0, 0)
        self._generation: int = generation
        self._size: int = size
        self.forgotten = False
        """Whether ids were forgotten in this import."""

    def is_new(self, audit_id: str) -> bool:
        """Tell whether an id was not seen before, and remember it; an event without an id is always new."""
        if not audit_id:
            return True
        number = number_of(audit_id)
        if number in self._new:
            return False
        if self._connection.execute("SELECT 1 FROM seen_ids WHERE id = ?", (number,)).fetchone():
            return False
        self._new[number] = None
        return True

    def save(self) -> None:
        """Save the new ids, inside the caller's transaction."""
        if self._size + len(self._new) > self._per_generation:
            self._generation += 1
            self._size = 0
            oldest = self._generation - GENERATIONS
            forgotten = self._connection.execute("DELETE FROM seen_ids WHERE generation <= ?", (oldest,)).rowcount
            self.forgotten = self.forgotten or forgotten > 0
        self._connection.executemany(
            "INSERT OR IGNORE INTO seen_ids (id, generation) VALUES (?, ?)",
            ((number, self._generation) for number in sorted(self._new)),
        )
        self._size += len(self._new)
        self._new = {}


def number_of(audit_id: str) -> int:
    """Give the number of an id: the same in every process, and never negative."""
    return int.from_bytes(blake2b(audit_id.encode(), digest_size=8).digest()) >> 1
