"""Decoders of typed JSON, for programs with threads.

msgspec works out what a type is made of when it first meets it, and says so too early: another thread that meets the
same type meanwhile follows a null pointer (0.22: a segmentation fault in json_decode_struct_map). So types are worked
out here, one at a time, and whoever has a decoder may use it in any thread. Nobody calls `msgspec.json.decode` or
`msgspec.convert` beside this; ruff sees to it.

What is nested deeper than msgspec follows is malformed to it, but it says so by a RecursionError, which nobody expects
of a text that anybody may have written. Here it is a DecodeError like the others.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, overload

import msgspec

TOO_DEEP = "nested too deeply"

_turn = threading.Lock()


class Decoder[T]:
    """What `decoder_of` gives."""

    __slots__ = ("_decoder",)

    def __init__(self, decoder: msgspec.json.Decoder[T]) -> None:
        self._decoder = decoder

    def decode(self, text: bytes | str) -> T:
        """Decode one value. Raises msgspec.DecodeError or UnicodeDecodeError."""
        try:
            return self._decoder.decode(text)
        except RecursionError:
            raise msgspec.DecodeError(TOO_DEEP) from None

    def decode_lines(self, text: bytes | str) -> list[T]:
        """Decode a value a line. Raises msgspec.DecodeError or UnicodeDecodeError."""
        try:
            return self._decoder.decode_lines(text)
        except RecursionError:
            raise msgspec.DecodeError(TOO_DEEP) from None


@overload
def decoder_of[T](kind: type[T], *, strict: bool = True) -> Decoder[T]: ...
@overload
def decoder_of(kind: Any, *, strict: bool = True) -> Decoder[Any]: ...  # noqa: ANN401 - unions and the like
def decoder_of(kind: Any, *, strict: bool = True) -> Decoder[Any]:
    """Return the decoder of a type, the same each time; `strict`: as `msgspec.json.Decoder` has it."""
    return _made(kind, strict)


def convert[T](value: object, kind: type[T]) -> T:
    """Make a typed value of what was decoded without types. Raises msgspec.ValidationError."""
    decoder_of(kind)
    return msgspec.convert(value, kind)


def _make(kind: Any, strict: bool) -> Decoder[Any]:  # noqa: ANN401
    with _turn:
        return Decoder(msgspec.json.Decoder(kind, strict=strict))


_made: Callable[[Any, bool], Decoder[Any]] = functools.cache(_make)
