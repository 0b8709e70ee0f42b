"""Importing an input whose records are counted, not lines: JSON over several lines, HAR, and what readers read.

Such an input is known by its first record. On a second import as many records as were read are passed over, and the
last of them must be the same as then.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from time import monotonic
from typing import NamedTuple

from apisnoop.calls.audit.counter import AuditCounter
from apisnoop.calls.call import Call
from apisnoop.calls.call_line import encode_call
from apisnoop.calls.har import call_of_entry
from apisnoop.calls.inputs.recognition import HAR, Format
from apisnoop.calls.inputs.source import Source
from apisnoop.calls.json_stream import JsonStream
from apisnoop.calls.reader import Matcher, Reader
from apisnoop.calls.tally import Loss
from apisnoop.store.importing.bookmark import DiffersError, digest
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import EMPTY, Outcome, Session

CHUNK = 1024 * 1024


class FoundRecord(NamedTuple):
    """A record of an input: what it is known again by, and what counts it."""

    identity: bytes
    enter: Callable[[], None]


class RecordImport:
    """Reads an open source from its beginning, passing over what its bookmark says was read before."""

    def __init__(
        self,
        source: Source,
        kind: Format,
        counter: AuditCounter,
        matcher: Matcher,
        *,
        pace: Pace,
        progress: Callable[[Source], None],
    ) -> None:
        self._source = source
        self._kind = kind
        self._counter = counter
        self._matcher = matcher
        self._pace = pace
        self._progress = progress
        self._problem = ""

    def run(self, session_for: Callable[[bytes], Session]) -> Outcome:
        """Count all new records and commit; `session_for` gives the session of the input that begins with a record.

        Raises DiffersError before anything was counted.
        """
        reader = self._kind.reader
        records = self._read(reader) if reader else self._cut(is_har=self._kind.name == HAR)
        first = next(records, None)
        if first is None:
            return Outcome(self._source.name, self._kind.name, problem=self._source.problem or self._problem or EMPTY)
        session = session_for(first.identity)
        position, last = self._count(session, chain((first,), records))
        bookmark, problem = session.bookmark, self._source.problem or self._problem
        if position > bookmark.position or (position == bookmark.position and problem != bookmark.problem):
            session.commit([self._counter.take()], position, last, problem)
        return session.outcome

    def _count(self, session: Session, records: Iterable[FoundRecord]) -> tuple[int, bytes]:
        """Count the records behind the bookmark; give the number of all records and the last one's identity."""
        known, committed = session.bookmark.position, monotonic()
        position, last = 0, b""
        for record in records:
            position += 1
            if position < known:
                continue
            last = record.identity
            if position == known:
                if digest(last) != session.bookmark.tail_digest:
                    raise DiffersError(session.bookmark.id)
                continue
            record.enter()
            if monotonic() - committed > self._pace.seconds or self._counter.batch.size > self._pace.tallies:
                session.commit([self._counter.take()], position, last)
                committed = monotonic()
        return position, last

    def _cut(self, *, is_har: bool) -> Iterator[FoundRecord]:
        stream = JsonStream()
        count = self._count_entry if is_har else self._counter.count_value
        while chunk := self._source.read(CHUNK):
            for value in stream.feed(chunk):
                yield FoundRecord(value, partial(count, value) if value else self._counter.skip_line)
            self._progress(self._source)
        if stream.is_cut_off:
            self._problem = "it ends in the middle of a record"

    def _count_entry(self, entry: bytes) -> None:
        self._count_call(call_of_entry(entry, self._matcher), entry)

    def _count_call(self, call: Call | str, record: bytes) -> None:
        if isinstance(call, str):
            self._counter.note_record(call, record)
        else:
            self._counter.count_call(call)

    def _read(self, reader: Reader) -> Iterator[FoundRecord]:
        try:
            for found in reader.read(self._source.stream(), self._matcher):
                if isinstance(found, Loss):
                    yield FoundRecord(repr(found).encode(), partial(self._count_call, found.reason, b""))
                else:
                    yield FoundRecord(encode_call(found), partial(self._counter.count_call, found))
                self._progress(self._source)
        except ValueError as error:
            self._problem = str(error)
