"""Requests that have begun and not ended: a watch still open, a log that stops. They count as unfinished, not as calls.

An event says that a request began (RequestReceived, ResponseStarted) or ended. Beginnings and ends may lie in different
blocks, files and imports; what is found in one stretch of a log is a `Stretch`, and the order in which stretches of one
piece of a log are added does not matter.
"""

from array import array
from typing import NamedTuple

from apisnoop.calls.audit.event import STARTED
from apisnoop.calls.caller import Caller
from apisnoop.operations.match import Target

LONGEST_ID = 128
"""Characters of an audit id that are kept; clients may choose it."""


class Access(NamedTuple):
    """Who does what in a request that the server has begun to answer: a watch, a followed log, an exec."""

    target: Target
    caller: Caller
    verb: str
    detail: str
    namespace: str
    name: str


class Beginning(NamedTuple):
    """What is known of an unfinished request."""

    audit_id: str
    verb: str
    stage: str
    """The last stage seen."""
    started: float
    """Epoch seconds."""
    access: Access | None = None
    """None where no answer has begun, or a refusal: nothing is known yet to be allowed, or needed."""


class Stretch:
    """Beginnings without an end, and all ends, in one stretch of a log.

    Both are by the hash of the audit id, which is the same in this process and its forks only: ends are as many as
    calls, so they must be small.
    """

    __slots__ = ("begun", "ended")

    def __init__(self) -> None:
        self.begun: dict[int, Beginning] = {}
        self.ended: array[int] = array("q")


class Unfinished:
    """All unfinished requests of a store, at most `cap`; the first to come are forgotten first."""

    def __init__(self, known: list[Beginning] | None = None, cap: int = 100_000) -> None:
        self._cap = cap
        self._begun = {hash(beginning.audit_id): beginning for beginning in known or []}
        self._added: set[int] = set()
        self._removed: list[str] = []
        self.forgotten = 0
        """How many were dropped because of the cap, since the last `changes`."""

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, stretches: list[Stretch]) -> None:
        """Bring in what was found in stretches that together are one piece of a log."""
        for stretch in stretches:
            self._begin(stretch.begun)
        if self._begun:
            for stretch in stretches:
                for key in stretch.ended:
                    if key in self._begun:
                        self._remove(key)
        while len(self._begun) > self._cap:
            self._remove(next(iter(self._begun)))
            self.forgotten += 1

    def _begin(self, begun: dict[int, Beginning]) -> None:
        """Bring in beginnings; of one request the further stage stays, whichever worker met it."""
        for key, beginning in begun.items():
            known = self._begun.get(key)
            if known is None or known.stage != STARTED or beginning.stage == STARTED:
                self._begun[key] = beginning
                self._added.add(key)

    def _remove(self, key: int) -> None:
        self._removed.append(self._begun.pop(key).audit_id)
        self._added.discard(key)

    def changes(self) -> tuple[list[Beginning], list[str]]:
        """Give what was added, and the audit ids removed, since the last time, for the store."""
        added, removed = [self._begun[key] for key in self._added], self._removed
        self._added, self._removed, self.forgotten = set(), [], 0
        return added, removed
