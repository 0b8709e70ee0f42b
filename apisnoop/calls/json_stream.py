"""Cutting a stream of JSON into its records, holding one at a time: pretty-printed, concatenated, or one long list.

A record is a value on the top level, or, where that is a list or an object with a list under one of the known keys, an
element of that list. Only brackets and strings are looked at; whether a record is valid is its decoder's business, also
of what stands where a record should and is none: a number, a string, garbage up to the next space or comma.
"""

import re
from collections.abc import Iterator

LONGEST_RECORD = 64 * 1024 * 1024
"""Bytes of a record that is still read; a longer one is skipped."""
CONTAINERS = frozenset({b"items", b"records", b"logEvents", b"events"})
"""Keys of lists in the outermost object: EventList, AKS, CloudWatch subscription, CloudWatch API."""
HAR_PARENT, HAR_CONTAINER = b"log", b"entries"

LONGEST_SCALAR = 64 * 1024
"""Bytes of a value without brackets; a longer one is skipped."""

_TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*+"|["{}\[\]]', re.DOTALL)
_STRING_PART = re.compile(rb'(?:[^"\\]+|\\.)*+', re.DOTALL)
_SCALAR = re.compile(rb'[^\s,\x1e\xef\xbb\xbf"{}\[\]]+')
"""What is neither a token nor may stand between records: space, commas, RFC 7464's separator, a byte order mark."""
_KEY = re.compile(rb'"([A-Za-z]+)"\s*:\s*\Z')


class JsonStream:
    """The records of one stream, which is fed in chunks."""

    def __init__(self, *, containers: bool = True, longest: int = LONGEST_RECORD) -> None:
        self._containers = containers
        self._longest = longest
        self._buffer = b""
        self._scanned = 0
        self._start = -1
        """Where in the buffer the open record begins; -1 outside of one."""
        self._depth = 0
        self._base = 0
        """Depth at which records lie: 0, or that of the container's elements."""
        self._in_har = False
        self._in_string = False
        """Inside a string whose beginning was dropped with the record that grew too long."""
        self._in_scalar = False
        """Inside a value without brackets whose beginning was dropped, for the same reason."""
        self._skipping = False

    @property
    def is_cut_off(self) -> bool:
        """Whether the stream, if it ended now, would end inside of a value."""
        return self._depth > 0 or self._in_string or bool(self._buffer.strip())

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and give the records that end in them, an empty one for one too long."""
        self._buffer += chunk
        if (self._in_string and not self._end_string()) or (self._in_scalar and not self._end_scalar()):
            return
        while (token := _TOKEN.search(self._buffer, self._scanned)) is not None:
            yield from self._scalars(token.start())
            mark = token.group()
            if mark == b'"':
                self._scanned = token.start()
                break  # a string that goes on in the next chunk
            self._scanned = token.end()
            if mark in (b"{", b"["):
                self._open(mark, token.start())
            elif mark not in (b"}", b"]"):
                if self._is_between:
                    yield self._bounded(mark)
            elif (record := self._close()) is not None:
                yield record
        else:
            yield from self._last_scalars()
        self._shorten()
        if self._in_string and self._is_between:
            yield b""

    @property
    def _is_between(self) -> bool:
        """Whether a record could begin here; inside of a line that is cut into values, nobody asks."""
        return self._containers and self._depth == self._base

    def _scalars(self, end: int) -> Iterator[bytes]:
        """Give what stands before the next token where a record should."""
        for found in self._between(end):
            yield self._bounded(found.group())

    def _last_scalars(self) -> Iterator[bytes]:
        """Give what stands in the rest of the buffer, but for a value that may go on in the next chunk."""
        rest = self._between(len(self._buffer))
        self._scanned = len(self._buffer)
        for found in rest:
            if found.end() < len(self._buffer):
                yield self._bounded(found.group())
            elif self._bounded(found.group()):
                self._scanned = found.start()
            else:
                self._in_scalar = True
                yield b""

    def _between(self, end: int) -> list[re.Match[bytes]]:
        return list(_SCALAR.finditer(self._buffer, self._scanned, end)) if self._is_between else []

    def _bounded(self, value: bytes) -> bytes:
        return value if len(value) <= min(LONGEST_SCALAR, self._longest) else b""

    def _end_scalar(self) -> bool:
        """Look for the end of a value without brackets that is being skipped; tell whether it was found."""
        found = _SCALAR.match(self._buffer)
        end = found.end() if found else 0
        self._in_scalar = end == len(self._buffer)
        self._buffer = self._buffer[end:]
        return not self._in_scalar

    def _open(self, mark: bytes, place: int) -> None:
        if self._containers and self._base == 0 and self._depth <= 2:
            key = self._key_before(place)
            if self._depth == 1 and mark == b"{":
                self._in_har = key == HAR_PARENT
            if mark == b"[" and self._is_container(key):
                self._depth += 1
                self._base = self._depth
                self._start = -1
                return
        if self._depth == self._base:
            self._start = place
        self._depth += 1

    def _key_before(self, place: int) -> bytes:
        found = _KEY.search(self._buffer[max(0, place - 64) : place])
        return found.group(1) if found else b""

    def _is_container(self, key: bytes) -> bool:
        if self._depth == 2:
            return self._in_har and key == HAR_CONTAINER
        return self._depth == 0 or key in CONTAINERS

    def _close(self) -> bytes | None:
        self._depth = max(0, self._depth - 1)
        if self._depth < self._base:  # the container's own end
            self._base = 0
            self._start = -1
            return None
        if self._depth > self._base or self._start < 0:
            return None
        record, self._start = self._buffer[self._start : self._scanned], -1
        if self._skipping or len(record) > self._longest:
            self._skipping = False
            return b""
        return record

    def _shorten(self) -> None:
        """Forget what no record needs: all before the open one, and all of one that has grown too long."""
        if self._start >= 0 and len(self._buffer) - self._start > self._longest:
            self._skipping = True
            self._start = 0
            self._drop(self._scanned)
        elif self._start >= 0:
            self._drop(self._start)
            self._start = 0
        else:
            self._drop(self._scanned)
        if len(self._buffer) > self._longest:  # all of it one string
            self._in_string = True
            self._buffer = self._buffer[1:]
            self._end_string()

    def _drop(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self._scanned -= size

    def _end_string(self) -> bool:
        """Look for the end of a string that is being skipped; tell whether it was found."""
        end = _STRING_PART.match(self._buffer).end()  # type: ignore[union-attr]  # matches the empty string too
        self._in_string = end == len(self._buffer) or self._buffer[end : end + 1] != b'"'
        self._buffer = self._buffer[end if self._in_string else end + 1 :]
        self._scanned = 0
        return not self._in_string
