"""Importing an input whose records are counted, not lines: JSON over several lines, HAR, and what readers read.

On a second import as many records as were read are passed over, and the last of them must be the same as then.
"""

from collections.abc import Callable, Iterator
from functools import partial
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
from apisnoop.store.importing.bookmark import digest
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import Session

CHUNK = 1024 * 1024


class DiffersError(Exception):
    """The input is not the one that its bookmark was made for."""


class FoundRecord(NamedTuple):
    """A record of an input: what it is known again by, and what counts it."""

    identity: bytes
    enter: Callable[[], None]


class RecordImport:
    """Reads an open source from its beginning, passing over what its bookmark says was read before."""

    def __init__(
        self,
        session: Session,
        source: Source,
        counter: AuditCounter,
        matcher: Matcher,
        *,
        pace: Pace,
        progress: Callable[[Source], None],
    ) -> None:
        self._session = session
        self._source = source
        self._counter = counter
        self._matcher = matcher
        self._pace = pace
        self._progress = progress
        self._problem = ""

    def run(self, kind: Format) -> None:
        """Count all new records and commit. Raises DiffersError before anything was counted."""
        records = self._read(kind.reader) if kind.reader else self._cut(is_har=kind.name == HAR)
        bookmark, known = self._session.bookmark, self._session.bookmark.position
        position, last, committed = 0, b"", monotonic()
        for position, record in enumerate(records, start=1):
            if position < known:
                continue
            last = record.identity
            if position == known:
                if digest(last) != bookmark.tail_digest:
                    raise DiffersError
                continue
            record.enter()
            if monotonic() - committed > self._pace.seconds or self._counter.batch.size > self._pace.tallies:
                self._session.commit([self._counter.take()], position, last)
                committed = monotonic()
        problem = self._source.problem or self._problem
        if position > bookmark.position or (position == bookmark.position and problem != bookmark.problem):
            self._session.commit([self._counter.take()], position, last, problem)

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
