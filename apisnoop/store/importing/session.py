"""One input on its way into the store: what was counted is committed together with the bookmark, or not at all."""

from dataclasses import dataclass, field
from time import time

from apisnoop.calls.audit.counter import Counted
from apisnoop.calls.audit.tracking import Unfinished
from apisnoop.calls.inputs.recognition import AUDIT, HAR
from apisnoop.calls.tally import Loss, TallyBatch
from apisnoop.store.importing.bookmark import Bookmark, digest, save_bookmark
from apisnoop.store.importing.seen import SeenIds
from apisnoop.store.importing.unfinished import save_unfinished
from apisnoop.store.store import CatalogueFacts, Store

FORGOTTEN = "unfinished-forgotten"
"""Reason of a loss: more requests were unfinished at a time than are kept."""
DUPLICATES_POSSIBLE = "seen-ids-forgotten"
"""Reason of a loss: `--dedupe-ids` has seen more ids than are kept, so an old event could count twice."""

EMPTY = "it is empty"
REWRITTEN = "written-anew"
"""Reason of a loss: an input known by its name and beginning, or being followed, has begun anew."""
MAYBE_MISSING = "lines written just before may be missing"


@dataclass(slots=True)
class Outcome:
    """What an import brought."""

    name: str
    format: str = ""
    known: bool = False
    """Whether all of it, or its beginning, had been imported before."""
    lines: int = 0
    """Lines or records read this time."""
    calls: int = 0
    stages: int = 0
    """Events of requests that had not ended by then: a request counts once, at its end."""
    duplicates: int = 0
    """Events whose audit id had been counted before; with `--dedupe-ids` only."""
    blank: int = 0
    """Lines with nothing in them."""
    bad: dict[str, int] = field(default_factory=dict)
    """Records not counted, by reason."""
    examples: dict[str, str] = field(default_factory=dict)
    """The first of each reason, in words."""
    problem: str = ""
    """How reading ended before its time, in words; empty otherwise."""
    first: float = 0.0
    """When the first of these calls began, in epoch seconds; zero without a call whose time is known."""
    last: float = 0.0
    """When the last one began."""
    gap: str = ""
    """What may be missing between this input and what was read before under its name, in words."""

    @property
    def events(self) -> int:
        """All that was found in these records, which is as many unless a record holds several events."""
        return self.calls + self.stages + self.duplicates + sum(self.bad.values())


UNITS = {AUDIT: "line", HAR: "entry"}
"""What the records of a format are called; others have none of their own."""


class Session:
    """The state of one import between commits."""

    def __init__(
        self, store: Store, catalogue: CatalogueFacts, bookmark: Bookmark, unfinished: Unfinished, seen: SeenIds | None
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._unfinished = unfinished
        self._seen = seen
        self.bookmark = bookmark
        self.outcome = Outcome(bookmark.path, bookmark.format, known=bookmark.position > 0)

    def lose_between(self, gap: str) -> None:
        """Record that lines may be missing between what was read of this input and what its file holds now."""
        self.outcome.gap = f"{gap}: {MAYBE_MISSING}; import the file they were moved to, if there is one"
        batch = TallyBatch()
        batch.lose(Loss(self.bookmark.path, REWRITTEN, MAYBE_MISSING), at=time())
        self._store.add(batch)

    def commit(self, counted: list[Counted], position: int, tail: bytes, problem: str = "") -> None:
        """Bring what was counted up to `position` into the store; `tail`: the last bytes, or the record, before it."""
        bookmark, before = self.bookmark, self.bookmark.position
        lines = sum(sum(part.lines.values()) for part in counted)
        calls = sum(part.batch.calls for part in counted)
        self._explain(counted)
        self._note_span(counted)
        bookmark.position = position
        bookmark.tail_digest = digest(tail)
        bookmark.lines += lines
        bookmark.calls += calls
        bookmark.updated = time()
        bookmark.problem = self.outcome.problem = problem
        self._write(counted, before)
        self.outcome.lines += lines
        self.outcome.calls += calls
        self.outcome.stages += sum(part.stages for part in counted)
        self.outcome.duplicates += sum(part.duplicates for part in counted)
        self.outcome.blank += sum(part.blank for part in counted)

    def _note_span(self, counted: list[Counted]) -> None:
        outcome, spans = self.outcome, [part.batch.span for part in counted]
        for first, last in filter(None, spans):
            outcome.first = min(outcome.first or first, first)
            outcome.last = max(outcome.last, last)

    def _explain(self, counted: list[Counted]) -> None:
        """Turn records that could not be counted into losses, with their line numbers in the whole input."""
        sizes = {number: lines for part in counted for number, lines in part.lines.items()}
        for part in counted:
            for reason, count in part.bad.items():
                where = part.examples[reason]
                line = self.bookmark.lines + _sum_before(sizes, where.block) + where.line + 1
                example = f"{UNITS.get(self.bookmark.format, 'record')} {line}, {where.size} bytes: {where.shape}"
                part.batch.lose(Loss(self.bookmark.path, reason), count, example=example)
                self.outcome.bad[reason] = self.outcome.bad.get(reason, 0) + count
                self.outcome.examples.setdefault(reason, example)

    def _write(self, counted: list[Counted], before: int) -> None:
        with self._store.transaction():
            save_bookmark(self._store.connection, self.bookmark, before)
            self._unfinished.add([part.stretch for part in counted])
            if self._unfinished.forgotten:
                counted[0].batch.lose(Loss(self.bookmark.path, FORGOTTEN), self._unfinished.forgotten)
            save_unfinished(self._store, self._unfinished)
            if self._seen is not None:
                self._seen.save()
                if self._seen.forgotten:
                    counted[0].batch.lose(Loss(self.bookmark.path, DUPLICATES_POSSIBLE))
            for part in counted:
                self._store.add(part.batch, catalogue=self._catalogue if part.batch.calls else None)


def _sum_before(sizes: dict[int, int], block: int) -> int:
    return sum(lines for number, lines in sizes.items() if number < block)
