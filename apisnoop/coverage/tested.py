"""What is tested: operations with the tests known to call them, from the coverage JSON that apisnoop publishes.

Its shape: a list of objects with `endpoint` (an operation id) and `tests` (objects with `codename`, or null), as in
resources/coverage/conformance-endpoints.json of kubernetes-sigs/apisnoop.
"""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from apisnoop.causes import cause_of
from apisnoop.decoding import decoder_of
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.several import say_if_several

LONGEST = 120
"""Characters of a name in a message."""
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class EndpointTests:
    """Which tests call which operations."""

    source: str
    """The file, or a word for what was seen in the store."""
    tests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Operation id to names of tests; an operation that is listed without tests has an empty set."""


class _Test(msgspec.Struct):
    codename: str = ""
    testname: str = ""


class _Endpoint(msgspec.Struct):
    endpoint: str
    tests: list[_Test | None] | None = None


def unknown_endpoints(layer: EndpointTests, catalogue: Catalogue) -> list[str]:
    """Give the endpoints of a layer that the catalogue does not have, by name.

    Raises ApisnoopError where it has none at all: judged by that layer, everything would be untested.
    """
    unknown = sorted(layer.tests.keys() - catalogue.operations.keys())
    if len(unknown) < len(layer.tests):
        return unknown
    what = f"names no endpoint of {catalogue.source}" if unknown else "names no endpoint"
    example = f", e.g. {unknown[0][:LONGEST]!r} is unknown to it" if unknown else ""
    raise ApisnoopError(f"tested endpoints {layer.source}: the file {what}{example}: name another file or --spec")


def read_tested(path: Path) -> EndpointTests:
    """Read a file of tested endpoints, plain or gzip. Raises ApisnoopError, naming the file and what is wrong."""
    data = _read(path)
    try:
        endpoints = decoder_of(list[_Endpoint]).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = say_if_several(data, error) or cause_of(error)
        raise ApisnoopError(
            f"tested endpoints {path} are not apisnoop's coverage JSON: {what}; "
            "one list of objects with `endpoint` and `tests` is wanted"
        ) from error
    return EndpointTests(
        path.name,
        {
            found.endpoint: frozenset(test.codename or test.testname for test in found.tests or () if test)
            for found in endpoints
        },
    )


def _read(path: Path) -> bytes:
    """Read a file, unfolding gzip. Raises ApisnoopError."""
    remedy = "name another file with --tested"
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP) else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ApisnoopError(f"tested endpoints {path} are a damaged gzip file; {remedy}") from error
    except OSError as error:
        raise ApisnoopError(f"tested endpoints {path} cannot be read: {cause_of(error)}; {remedy}") from error
