"""Cutting a stream into blocks of whole lines, as large as a processor's cache likes them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

BLOCK = 256 * 1024
LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line that is still read: etcd holds no object of more than a few megabytes, so no event needs more."""


TAIL = 4096


class Block(NamedTuple):
    """Whole lines, each with its line feed; or one line that was too long, and then no data."""

    data: bytes
    size: int
    """Bytes of the stream."""
    tail: bytes
    """Its last bytes, `TAIL` of them if it has so many: also where there is no data."""


class LineBlocks:
    """The blocks of a stream; after the last one, `rest` holds a line that has no end yet."""

    def __init__(self, read: Callable[[int], bytes], *, block: int = BLOCK, longest: int = LONGEST_LINE) -> None:
        self._read = read
        self._block = block
        self._longest = longest
        self._parts: list[bytes] = []
        self._held = 0
        self._skipped = 0
        self._skipped_tail = b""

    @property
    def rest(self) -> bytes:
        """The bytes after the last line feed, if the stream ended there."""
        return b"".join(self._parts)

    @property
    def rest_size(self) -> int:
        """How many bytes follow the last line feed; more than `rest` has where the line is too long."""
        return self._skipped + self._held

    def __iter__(self) -> Iterator[Block]:
        """Read until the stream has nothing more to give; iterate again when it has."""
        while chunk := self._read(self._block):
            if self._skipped:
                yield from self._skip(chunk)
            else:
                yield from self._cut(chunk)

    def _cut(self, chunk: bytes) -> Iterator[Block]:
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._hold(chunk)
            return
        data = b"".join((*self._parts, memoryview(chunk)[:end]))
        self._parts, self._held = [], 0
        if end < len(chunk):
            self._hold(chunk[end:])
        yield Block(data, len(data), data[-TAIL:])

    def _hold(self, part: bytes) -> None:
        self._parts.append(part)
        self._held += len(part)
        if self._held > self._longest:
            self._skipped, self._skipped_tail = self._held, b"".join(self._parts)[-TAIL:]
            self._parts, self._held = [], 0

    def _skip(self, chunk: bytes) -> Iterator[Block]:
        end = chunk.find(b"\n") + 1 or len(chunk)
        self._skipped += end
        self._skipped_tail = (self._skipped_tail + chunk[:end][-TAIL:])[-TAIL:]
        if not chunk.endswith(b"\n", 0, end):
            return
        size, self._skipped = self._skipped, 0
        yield Block(b"", size, self._skipped_tail)
        if end < len(chunk):
            yield from self._cut(chunk[end:])
