"""Decoders of typed JSON, for programs with threads.

msgspec works out what a type is made of when it first meets it, and says so too early: another thread that meets the
same type meanwhile follows a null pointer (0.22: a segmentation fault in json_decode_struct_map). So types are worked
out here, one at a time, and whoever has a decoder may use it in any thread. Nobody calls `msgspec.json.decode` or
`msgspec.convert` beside this; ruff sees to it.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, overload

import msgspec

type Decoder[T] = msgspec.json.Decoder[T]

_turn = threading.Lock()


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
        return msgspec.json.Decoder(kind, strict=strict)


_made: Callable[[Any, bool], Decoder[Any]] = functools.cache(_make)
