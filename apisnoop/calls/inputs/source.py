"""Opening an input: a file, or standard input, as a stream of decompressed bytes whose beginning can be looked at."""

import os
import stat
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from apisnoop.calls.inputs.compression import Decompressed, compression_of, unread_compression_of
from apisnoop.calls.inputs.errors import InputError
from apisnoop.causes import cause_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STANDARD_INPUT = "-"
HEAD = 64 * 1024
"""Bytes of the beginning that are looked at to recognise an input."""
SHORTEST_HEAD = 4 * 1024
"""The same, of a pipe that gives no more at once."""
LONGEST_HEAD = 4 * 1024 * 1024
"""The same, where the first line is longer than `HEAD`."""


class Source:
    """An open input. `read` gives its decompressed bytes."""

    def __init__(self, name: str, raw: BinaryIO) -> None:
        self.name = name
        """As the user wrote it."""
        self._raw = raw
        first = _read_some(raw, 8)
        self.compression = compression_of(first)
        self._unread = first
        self._decompressed = Decompressed(self._read_raw, self.compression) if self.compression else None
        self._ahead = b""
        self.is_regular = not self.compression and _is_regular(raw)
        """A plain file: its bytes can be read again from any place."""
        self.size = os.fstat(raw.fileno()).st_size if _is_regular(raw) else None
        """Bytes of the (compressed) file; None for a stream."""
        self.consumed = 0
        """Of these, how many were read."""

    @classmethod
    def open(cls, name: str) -> "Source":
        """Open a file, or standard input for "-". Raises InputError."""
        if name == STANDARD_INPUT:
            return cls("standard input", Path("/dev/stdin").open("rb", buffering=0))
        try:
            return cls(name, Path(name).open("rb", buffering=0))
        except OSError as error:
            raise InputError(f"input {name} cannot be read: {cause_of(error)}; check path and permissions") from error

    def _read_raw(self, size: int) -> bytes:
        if self._unread:
            chunk, self._unread = self._unread, b""
        else:
            try:
                chunk = self._raw.read(size) or b""
            except OSError as error:
                raise InputError(f"input {self.name} cannot be read on: {cause_of(error)}; check the disk") from error
        self.consumed += len(chunk)
        return chunk

    def read(self, size: int = -1) -> bytes:
        """Give at most `size` decompressed bytes (all for -1); none at the end, or as yet none of a growing file."""
        if size < 0:
            return b"".join(iter(lambda: self.read(HEAD), b""))
        if self._ahead:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            return chunk
        return self._decompressed.read(size) if self._decompressed else self._read_raw(size)

    def stream(self) -> BinaryIO:
        """Give the decompressed bytes as a buffered stream, as a `Reader` wants them; it must not be closed."""
        return BufferedReader(_Raw(self), HEAD)

    def read_exactly(self, size: int) -> bytes:
        """Give `size` bytes, or fewer at the end."""
        parts: list[bytes] = []
        while size > 0 and (chunk := self.read(size)):
            parts.append(chunk)
            size -= len(chunk)
        return b"".join(parts)

    def head(self, size: int = HEAD) -> bytes:
        """Give the first bytes, `size` of them if there are so many, without taking them away."""
        parts, held = [self._ahead], len(self._ahead)
        self._ahead = b""
        while held < size and (chunk := self.read(size - held)):
            parts.append(chunk)
            held += len(chunk)
            if self.size is None and held >= SHORTEST_HEAD and b"\n" in chunk:
                break  # a pipe may give nothing more for hours
        self._ahead = b"".join(parts)
        return self._ahead[:size]

    def head_with_line(self) -> bytes:
        """Give the first bytes, with the whole first line unless it is longer than `LONGEST_HEAD`."""
        head = self.head()
        return head if len(head) < HEAD or b"\n" in head else self.head(LONGEST_HEAD)

    def seek(self, position: int) -> None:
        """Go to a place in a plain file."""
        self._raw.seek(position)
        self._ahead = self._unread = b""
        self.consumed = position

    def fileno(self) -> int:
        """Give the descriptor of the file."""
        return self._raw.fileno()

    @property
    def problem(self) -> str:
        """Why the compressed data ended before its time, once it has."""
        return self._decompressed.problem if self._decompressed else ""

    @property
    def unread_compression(self) -> str:
        """The name of a compression that is not read, if it has one."""
        return unread_compression_of(self.head(8))

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Raw(RawIOBase):
    """A source as the standard library's buffers want it."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        chunk = self._source.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


def _read_some(raw: BinaryIO, size: int) -> bytes:
    """Read that many bytes of a stream that may give them one by one."""
    parts: list[bytes] = []
    while size > 0 and (chunk := raw.read(size)):
        parts.append(chunk)
        size -= len(chunk)
    return b"".join(parts)


def _is_regular(raw: BinaryIO) -> bool:
    return stat.S_ISREG(os.fstat(raw.fileno()).st_mode)


def files_in(name: str) -> Iterator[tuple[str, bool]]:
    """Give every input that a name stands for, and whether it was found in a folder rather than named.

    A folder stands for all files below it, oldest first (rotated logs before the one being written), hidden ones left
    out. Raises InputError for a folder that cannot be read.
    """
    path = Path(name)
    if name == STANDARD_INPUT or not path.is_dir():
        yield name, False
        return
    try:
        found = [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path)]
        found.sort(key=lambda file: (file.stat().st_mtime, str(file)))
    except OSError as error:
        raise InputError(f"folder {name} cannot be read: {cause_of(error)}; check path and permissions") from error
    if not found:
        raise InputError(f"folder {name} holds no file: name another one")
    yield from ((str(file), True) for file in found)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
