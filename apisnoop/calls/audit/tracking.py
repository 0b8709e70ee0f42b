"""Requests that have begun and not ended: a watch still open, a log that stops. They count as unfinished, not as calls.

An event says that a request began (RequestReceived, ResponseStarted) or ended. Beginnings and ends may lie in different
blocks, files and imports; what is found in one stretch of a log is a `Stretch`, and the order in which stretches of one
piece of a log are added does not matter.
"""

from array import array
from typing import NamedTuple


class Beginning(NamedTuple):
    """What is known of an unfinished request."""

    verb: str
    stage: str
    """The last stage seen."""
    started: float
    """Epoch seconds."""


class Stretch:
    """Beginnings without an end, and ends without a beginning, in one stretch of a log."""

    __slots__ = ("begun", "ended")

    def __init__(self) -> None:
        self.begun: dict[str, Beginning] = {}
        """By audit id."""
        self.ended: array[int] = array("q")
        """Hashes of audit ids: one for each call, so they must be small. Valid in this process and its forks only."""


class Unfinished:
    """All unfinished requests of a store, at most `cap`; the oldest known are forgotten first."""

    def __init__(self, known: dict[str, Beginning] | None = None, cap: int = 100_000) -> None:
        self._cap = cap
        self._begun: dict[str, Beginning] = dict(known or {})
        self._ids = {hash(audit_id): audit_id for audit_id in self._begun}
        self._added: set[str] = set()
        self._removed: set[str] = set()
        self.forgotten = 0
        """How many were dropped because of the cap, since the last `changes`."""

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, stretches: list[Stretch]) -> None:
        """Bring in what was found in stretches that together are one piece of a log."""
        for stretch in stretches:
            for audit_id, beginning in stretch.begun.items():
                self._begun[audit_id] = beginning
                self._ids[hash(audit_id)] = audit_id
                self._added.add(audit_id)
        if self._begun:
            for stretch in stretches:
                for key in stretch.ended:
                    if key in self._ids:
                        self._remove(self._ids[key])
        while len(self._begun) > self._cap:
            self._remove(next(iter(self._begun)))
            self.forgotten += 1

    def _remove(self, audit_id: str) -> None:
        del self._begun[audit_id], self._ids[hash(audit_id)]
        self._added.discard(audit_id)
        self._removed.add(audit_id)

    def changes(self) -> tuple[dict[str, Beginning], set[str]]:
        """Give what was added and removed since the last time, for the store."""
        added = {audit_id: self._begun[audit_id] for audit_id in self._added}
        removed = self._removed - added.keys()
        self._added, self._removed, self.forgotten = set(), set(), 0
        return added, removed
