"""Reading through gzip and zstd, from any stream, keeping what a cut-off or damaged one still gives.

The standard library's readers raise at a cut-off end and lose what they had read, or say nothing of it at all; this one
hands over every byte and tells of the `problem` afterwards.
"""

import zlib
from collections.abc import Callable
from typing import Protocol

CHUNK = 128 * 1024
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
UNREAD_MAGIC = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip", b"\x04\x22\x4d\x18": "lz4"}
"""Compressions that are recognised, to say what to do, and not read."""
LARGEST_WINDOW = 1 << 27
"""Of zstd, as `zstd --long=27` makes it; a larger one asks for more memory than an import may take."""

type Read = Callable[[int], bytes]


class Member(Protocol):
    """A decompressor of one gzip member or zstd frame."""

    @property
    def eof(self) -> bool:
        """Whether its end has been seen."""

    @property
    def unused_data(self) -> bytes:
        """What was fed beyond its end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Take compressed bytes and give all that they unfold to."""


def compression_of(head: bytes) -> str:
    """Name the compression of an input by its first bytes; an empty string for none."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")


def unread_compression_of(head: bytes) -> str:
    """Name a compression that is not read, by its first bytes; an empty string for none."""
    return next((name for magic, name in UNREAD_MAGIC.items() if head.startswith(magic)), "")


class Decompressed:
    """What gzip members or zstd frames hold, one after another."""

    def __init__(self, read: Read, compression: str) -> None:
        self._read = read
        self._name = compression
        # Fed in small pieces, for one gives all it unfolds to: at most 1 : 1032 with gzip, 1 : 32,768 with zstd.
        self._piece = 8 * 1024 if compression == "gzip" else 512
        self._new_member, self._errors = _gzip() if compression == "gzip" else _zstd()
        self._member: Member | None = None
        self._input = memoryview(b"")
        self._output = b""
        self.problem = ""
        """Why reading ended before its time, once it has."""

    def read(self, size: int) -> bytes:
        """Give `size` bytes, or fewer at the end."""
        parts, missing = [self._output], size - len(self._output)
        while missing > 0 and (unfolded := self._unfold()) is not None:
            parts.append(unfolded)
            missing -= len(unfolded)
        gathered = b"".join(parts)
        self._output = gathered[size:]
        return gathered[:size]

    def _unfold(self) -> bytes | None:
        """Decompress one piece; None at the end."""
        if self.problem or not (piece := self._next_piece()):
            return None
        self._member = self._member or self._new_member()
        try:
            unfolded = self._member.decompress(piece)
        except self._errors as error:
            self.problem = f"its {self._name} data is damaged ({error})"
            return None
        if self._member.eof:
            self._input = memoryview(self._member.unused_data + bytes(self._input))
            self._member = None
        return unfolded

    def _next_piece(self) -> bytes:
        if not self._input:
            self._input = memoryview(self._read(CHUNK))
        if self._member is None:  # zeros pad what tapes and block devices hold
            self._input = memoryview(bytes(self._input).lstrip(b"\0"))
        if not self._input and self._member is not None:
            self.problem = f"its {self._name} data is cut off"
        piece, self._input = bytes(self._input[: self._piece]), self._input[self._piece :]
        return piece


def _gzip() -> tuple[Callable[[], Member], type[Exception]]:
    return lambda: zlib.decompressobj(31), zlib.error


def _zstd() -> tuple[Callable[[], Member], type[Exception]]:
    import zstandard  # noqa: PLC0415 - takes 30 ms, and most inputs need none

    return zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).decompressobj, zstandard.ZstdError
