"""Importing an input whose records are lines: read on from a byte, in blocks, in one process or several."""

import os
from collections.abc import Callable, Iterator
from time import monotonic
from typing import NamedTuple

from apisnoop.calls.audit.counter import AuditCounter
from apisnoop.calls.audit.counting import Counting, Span
from apisnoop.calls.inputs.lines import BLOCK, LONGEST_LINE, Block, LineBlocks
from apisnoop.calls.inputs.source import Source
from apisnoop.store.importing.bookmark import FINGERPRINT
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import Session

PIECE = 8 * 1024 * 1024
"""Bytes of a plain file handed to a worker at a time: few, so that who hands them out sleeps most of the time."""
SENT = 1024 * 1024
"""Bytes of a stream handed to a worker at a time."""
WINDOW = 8 * 1024
"""Bytes in which the end of a line is looked for at a time."""


class Start(NamedTuple):
    """Where reading begins."""

    tail: bytes
    """The last bytes before that place, `FINGERPRINT` of them if there are so many."""
    read: Callable[[int], bytes]
    """Gives the next bytes of the source, at most so many; none at the end."""


class LineImport:
    """Reads an open source on from its bookmark; `read` may be called again when the source has grown."""

    def __init__(
        self,
        session: Session,
        source: Source,
        counting: Counting,
        last: AuditCounter,
        *,
        start: Start,
        pace: Pace,
        progress: Callable[[Source], None],
    ) -> None:
        self._session = session
        self._source = source
        self._counting = counting
        self._last = last
        """Counts a line without an end, in this process."""
        self._pace = pace
        self._progress = progress
        self._position = session.bookmark.position
        self._number = 0
        self._tail = start.tail
        """The last bytes before the position; where spans are counted, they are read again instead."""
        self._committed = monotonic()
        self._in_spans = counting.is_parallel and source.is_regular
        self._blocks = LineBlocks(start.read, block=SENT if counting.is_parallel else BLOCK)

    @property
    def position(self) -> int:
        """Where reading stands: behind the last whole line that was counted."""
        return self._position

    def read(self) -> None:
        """Count all whole lines there are, committing now and then."""
        pieces: Iterator[Block | Span] = self._spans() if self._in_spans else iter(self._blocks)
        for piece in pieces:
            self._counting.count(piece, self._number)
            self._number += self._counting.is_parallel
            self._position += piece.size
            if isinstance(piece, Block):
                self._tail = (self._tail + piece.tail)[-FINGERPRINT:]
            self._progress(self._source)
            if monotonic() - self._committed > self._pace.seconds or self._counting.size > self._pace.tallies:
                self.commit()

    def commit_if_due(self) -> None:
        """Commit what was counted so far, if the last commit is long enough ago."""
        if monotonic() - self._committed > self._pace.seconds:
            self.commit()

    def commit(self) -> None:
        """Commit what was counted so far, if anything was."""
        if self._position > self._session.bookmark.position:
            self._session.commit(self._counting.take(), self._position, self._tail_bytes())
        self._number = 0
        self._committed = monotonic()

    def finish(self) -> None:
        """Count a last line without an end if it is complete, and commit."""
        self.commit()
        rest, size = self._rest()
        problem = self._source.problem
        if size and self._last.count_last_line(rest, 0):
            self._position += size
            self._tail = (self._tail + rest[-FINGERPRINT:])[-FINGERPRINT:]
        elif size:
            line = self._session.bookmark.lines + 1
            ending = f"in the middle of line {line} ({size} bytes not counted)"
            problem = f"{problem}, {ending}" if problem else f"it ends {ending}"
        if problem != self._session.bookmark.problem or self._position > self._session.bookmark.position:
            self._session.commit([self._last.take()], self._position, self._tail_bytes(), problem)

    def _spans(self) -> Iterator[Span]:
        file = self._source.fileno()
        end = os.fstat(file).st_size
        while (cut := _line_end(file, self._position, min(self._position + PIECE, end), end)) is not None:
            self._source.consumed = cut
            yield Span(self._position, cut - self._position)

    def _rest(self) -> tuple[bytes, int]:
        if not self._in_spans:
            return self._blocks.rest, self._blocks.rest_size
        size = os.fstat(self._source.fileno()).st_size - self._position
        rest = os.pread(self._source.fileno(), size, self._position) if size <= LONGEST_LINE else b""
        return rest, size

    def _tail_bytes(self) -> bytes:
        if not self._in_spans:
            return self._tail
        start = max(0, self._position - FINGERPRINT)
        return os.pread(self._source.fileno(), self._position - start, start)


def _line_end(file: int, start: int, wanted: int, end: int) -> int | None:
    """Find the last end of a line between `start` and `wanted`, else the first one after; None if there is none."""
    high = wanted
    while high > start:
        low = max(start, high - WINDOW)
        place = os.pread(file, high - low, low).rfind(b"\n")
        if place >= 0:
            return low + place + 1
        high = low
    while wanted < end and (chunk := os.pread(file, WINDOW, wanted)):
        place = chunk.find(b"\n")
        if place >= 0:
            return wanted + place + 1
        wanted += len(chunk)
    return None
