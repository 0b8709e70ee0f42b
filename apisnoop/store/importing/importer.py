"""Importing: from the name of an input to its calls in the store, whatever it is and however much of it is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from time import time
from typing import Protocol

from apisnoop.calls.audit.counter import AuditCounter
from apisnoop.calls.audit.counting import Counting, Local
from apisnoop.calls.audit.tracking import Unfinished
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.recognition import AUTO, Format, Layout, recognise
from apisnoop.calls.inputs.source import STANDARD_INPUT, Source
from apisnoop.calls.reader import Matcher, reader_named, reader_names
from apisnoop.store.importing.bookmark import FINGERPRINT, Bookmark, DiffersError, Mark, add_bookmark, digest, is_of
from apisnoop.store.importing.line_import import LineImport, Start
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.record_import import RecordImport
from apisnoop.store.importing.seen import SeenIds
from apisnoop.store.importing.session import EMPTY, Outcome, Session
from apisnoop.store.importing.unfinished import load_unfinished
from apisnoop.store.store import CatalogueFacts, Store

WORTH_WORKERS = 32 * 1024 * 1024
"""Bytes of an input from which on more than one process is quicker."""
SKIPPED = 1024 * 1024
"""Bytes passed over at a time."""


class UnknownFormatError(InputError):
    """An input is no recording of any known kind."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to import."""

    format: str = AUTO
    jobs: int = 1
    dedupe_ids: bool = False
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class KnownCatalogue:
    """What the store keeps of the catalogue, worked out once."""

    release: str
    source: str
    digest: str


class Catalogue(Matcher, CatalogueFacts, Protocol):
    """What is asked of a catalogue."""


class Importer:
    """Imports inputs into one store, against one catalogue; a store given by a function is asked for when needed."""

    def __init__(
        self,
        store: Store | Callable[[], Store],
        catalogue: Catalogue,
        settings: Settings | None = None,
        progress: Callable[[Source], None] = lambda _: None,
    ) -> None:
        self._given = store
        self._catalogue = catalogue
        self._facts = KnownCatalogue(catalogue.release, catalogue.source, catalogue.digest)
        self._settings = settings or Settings()
        self._progress = progress

    @cached_property
    def _store(self) -> Store:
        return self._given if isinstance(self._given, Store) else self._given()

    @cached_property
    def _unfinished(self) -> Unfinished:
        return load_unfinished(self._store.connection)

    @cached_property
    def _seen(self) -> SeenIds:
        return SeenIds(self._store.connection)

    def _is_new(self, audit_id: str) -> bool:
        return self._seen.is_new(audit_id)

    def run(self, name: str) -> Outcome:
        """Import an input. Raises InputError if it cannot be read or understood, StoreError for the store."""
        foreign: set[int] = set()
        while True:
            with Source.open(name) as source:
                try:
                    return self._read(source, foreign)
                except DiffersError as error:
                    if name == STANDARD_INPUT:
                        raise InputError(
                            "standard input begins like an input imported before and goes on differently: "
                            "save it to a file and import that"
                        ) from None
                    foreign.add(error.bookmark)

    def recognise(self, source: Source, beginning: bytes) -> Format:
        """Tell what an input is. Raises UnknownFormatError."""
        kind = recognise(beginning, self._settings.format)
        if kind is None:
            raise UnknownFormatError(unknown_format(source))
        return kind

    def session(self, source: Source, kind: Format, mark: Mark, foreign: set[int]) -> Session:
        """Find or make the bookmark of an input; `foreign` are bookmarks of others that begin alike."""
        known = [bookmark for bookmark in mark.bookmarks(self._store.connection) if bookmark.id not in foreign]
        if known:
            bookmark = known[0]
        else:
            bookmark = Bookmark(source.name, kind.name, mark.length, digest(mark.content), time())
            with self._store.transaction():
                bookmark = add_bookmark(self._store.connection, bookmark, mark, foreign)
        bookmark.path = source.name
        bookmark.head_length, bookmark.head_digest = mark.length, digest(mark.content)
        seen = self._seen if self._settings.dedupe_ids else None
        session = Session(self._store, self._facts, bookmark, self._unfinished, seen)
        if not known and kind.layout is Layout.LINES and is_of(self._store.connection, foreign, source.name):
            session.lose_between("it was written anew since it was imported last")
        return session

    def lines_of(self, session: Session, source: Source, start: Start, counting: Counting) -> LineImport:
        """Read a source whose records are lines from where its bookmark says."""
        return LineImport(
            session, source, counting, self.counter(), start=start, pace=self._settings.pace, progress=self._progress
        )

    def counter(self) -> AuditCounter:
        """Give a new counter of events."""
        return AuditCounter(self._catalogue, self._is_new if self._settings.dedupe_ids else None)

    def _read(self, source: Source, foreign: set[int]) -> Outcome:
        beginning = source.head_with_line()
        if not beginning:
            return Outcome(source.name, problem=EMPTY)
        kind = self.recognise(source, beginning)
        if kind.layout is Layout.LINES:
            session = self.session(source, kind, Mark(beginning[:FINGERPRINT]), foreign)
            self._read_lines(source, session)
            return session.outcome
        records = RecordImport(
            source, kind, self.counter(), self._catalogue, pace=self._settings.pace, progress=self._progress
        )
        return records.run(lambda first: self.session(source, kind, Mark(first, is_record=True), foreign))

    def _read_lines(self, source: Source, session: Session) -> None:
        tail = go_to(source, session.bookmark)
        if tail is None:
            return
        counting = self._counting(source, session.bookmark.position)
        try:
            lines = self.lines_of(session, source, Start(tail, source.read), counting)
            try:
                lines.read()
            except KeyboardInterrupt:
                lines.commit()
                raise
            lines.finish()
        finally:
            counting.close()

    def _counting(self, source: Source, position: int) -> Counting:
        """Count in several processes where that was asked for and pays; ids seen before are known to this one only."""
        jobs = 1 if self._settings.dedupe_ids else self._settings.jobs
        left = (source.size or WORTH_WORKERS) - (position if source.is_regular else 0)
        if jobs < 2 or left < WORTH_WORKERS:
            return Local(self.counter())
        from apisnoop.calls.audit.workers import Workers  # noqa: PLC0415 - multiprocessing takes 15 ms

        return Workers(self._catalogue, jobs, source.fileno() if source.is_regular else None)


def go_to(source: Source, bookmark: Bookmark) -> bytes | None:
    """Go to the position up to which an input was read; give the last bytes before it, None if it ends before it.

    Raises DiffersError if those bytes are not what was read then.
    """
    position = bookmark.position
    tail = b""
    if source.is_regular:
        if (source.size or 0) < position:
            return None
        source.seek(max(0, position - FINGERPRINT))
        tail = source.read_exactly(min(position, FINGERPRINT))
    else:
        while position and (chunk := source.read(min(position, SKIPPED))):
            position -= len(chunk)
            tail = (tail + chunk)[-FINGERPRINT:]
        if position:
            return None
    if bookmark.position and digest(tail) != bookmark.tail_digest:
        raise DiffersError(bookmark.id)
    return tail


def unknown_format(source: Source) -> str:
    """Tell why an input cannot be read, and what to do."""
    compression = source.unread_compression
    if compression:
        return f"input {source.name} is compressed with {compression}: decompress it and import the result"
    names = reader_names()
    missing = [name for name in names if reader_named(name) is None]
    kinds = ", ".join(("Kubernetes audit log", "HAR", *(name for name in names if name not in missing)))
    hint = f"; {', '.join(missing)} would need `pip install 'apisnoop[proxy]'`" if missing else ""
    return (
        f"input {source.name} is no recording that can be read ({kinds}): "
        f"name another file, or its kind with --format if it only begins with something else{hint}"
    )
