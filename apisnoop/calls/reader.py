"""What a component must offer so that `apisnoop import` can read one more kind of recording.

A component registers a module, or an object, that fulfils `Reader` in the entry-point group `apisnoop.readers`. Readers
are asked only for input that is not JSON, so that a plain import loads no component.
"""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import BinaryIO, Protocol

from apisnoop.calls.call import Call
from apisnoop.calls.tally import Loss
from apisnoop.errors import ApisnoopError
from apisnoop.operations.match import Match

GROUP = "apisnoop.readers"
FUNCTIONS = ("recognises", "read")
HEAD = 64 * 1024
"""Bytes of the input's beginning that a reader is shown; shorter for a shorter input."""


class Matcher(Protocol):
    """The part of a catalogue that readers need."""

    def match(self, method: str, url: str, content_type: str = "") -> Match:
        """Match what a client sent."""

    def match_audit(self, verb: str, request_uri: str) -> Match:
        """Match what the audit log says of a request."""


class Reader(Protocol):
    """A kind of recording."""

    def recognises(self, head: bytes) -> bool:
        """Tell from its beginning, never raising, whether an input is of this kind."""

    def read(self, stream: BinaryIO, matcher: Matcher) -> Iterator[Call | Loss]:
        """Give, for each record in the order of the stream, its call, or why it is none.

        The stream is decompressed already, and need not be seekable. Reading the same bytes again gives as many records
        again: that is how an import continues where it stopped. Stop at the end of what can be read; raise ValueError
        with one clear sentence for a record that ends the rest (cut off, damaged).
        """


def find_reader(head: bytes) -> tuple[str, Reader] | None:
    """Find the first installed reader, by name, that recognises the input; None if there is none."""
    for name in reader_names():
        reader = reader_named(name)
        if reader is not None and reader.recognises(head):
            return name, reader
    return None


def reader_named(name: str) -> Reader | None:
    """Give the registered reader of that name; None if there is none, or what it needs is not installed.

    Raises ApisnoopError where what is registered is no reader.
    """
    for point in entry_points(group=GROUP, name=name):
        try:
            reader: Reader = point.load()
        except ImportError:
            return None
        except AttributeError as error:
            raise _broken(point, str(error)) from None
        for needed in FUNCTIONS:
            if not callable(getattr(reader, needed, None)):
                raise _broken(point, f"{point.value} has no function {needed}")
        return reader
    return None


def _broken(point: EntryPoint, why: str) -> ApisnoopError:
    owner = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
    step = "upgrade or uninstall it, or name another reader with --format"
    return ApisnoopError(f"broken reader {point.name} of {owner}: {why}; {step}")


def reader_names() -> list[str]:
    """Give the names of all registered readers, whether what they need is installed or not."""
    return sorted({point.name for point in entry_points(group=GROUP)})
