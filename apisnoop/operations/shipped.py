"""The catalogues inside the package: what each shipped release of Kubernetes can do, and since and until when.

One file holds all releases, since they share most of their operations; `scripts/build-catalogue` writes it from
OpenAPI documents. It holds facts only: no text of those documents.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from apisnoop.decoding import decoder_of
from apisnoop.operations.document import Kind, OperationObject, make_operation
from apisnoop.operations.operation import Operation

SHIPPED_FILE = Path(__file__).with_name("shipped.json")


class Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One operation with the releases it is in. What follows from the path is not repeated."""

    method: str
    path: str
    id: str
    action: str
    kind_group: str
    kind_version: str
    kind: str
    deprecated: bool
    releases: int
    """Bit n stands for the nth of the file's releases."""


class Shipped(msgspec.Struct, frozen=True):
    """The contents of the file: releases, oldest first, and the operations of all of them."""

    releases: list[str]
    rows: list[Row]

    def operations(self, release: str) -> list[Operation]:
        """Give the operations of one of the releases, sorted by path and method."""
        bit = 1 << self.releases.index(release)
        return [operation_of(row) for row in self.rows if row.releases & bit]

    def releases_in(self, mask: int) -> list[str]:
        """Give the releases that the `releases` of a row stands for, oldest first."""
        return [release for index, release in enumerate(self.releases) if mask >> index & 1]


@cache
def shipped() -> Shipped:
    """Read the file inside the package, once a process."""
    return decode_shipped(SHIPPED_FILE.read_bytes())


def operation_of(row: Row) -> Operation:
    """Make the operation that a row stands for."""
    kind = Kind(row.kind_group, row.kind_version, row.kind)
    value = OperationObject(id=row.id, deprecated=row.deprecated, action=row.action, kind=kind)
    return make_operation(row.method, row.path, value)


def nearest_release(version: str) -> str:
    """Give the shipped release nearest to a version (1.33 or v1.33.2); of two equally near ones the newer."""
    wanted = release_key(version)
    return min(reversed(shipped().releases), key=lambda release: abs(release_key(release)[1] - wanted[1]))


def release_key(release: str) -> tuple[int, int]:
    """Turn a release or version, e.g. 1.34 or v1.34.2, into numbers that sort."""
    major, minor, *_ = release.removeprefix("v").split(".")
    return int(major), int(minor)


def combine(releases: Mapping[str, Iterable[Operation]]) -> Shipped:
    """Join the operations of several releases; an operation whose facts changed gets a row for each form."""
    names = sorted(releases, key=release_key)
    masks: dict[Row, int] = {}
    for index, name in enumerate(names):
        for operation in releases[name]:
            row = _row_of(operation)
            masks[row] = masks.get(row, 0) | 1 << index
    rows = [msgspec.structs.replace(row, releases=mask) for row, mask in masks.items()]
    return Shipped(names, sorted(rows, key=lambda row: (row.path, row.method, row.releases)))


def encode_shipped(value: Shipped) -> bytes:
    """Write the file: JSON, a row a line so that changes can be read."""
    rows = b",\n".join(msgspec.json.encode(row) for row in value.rows)
    return b'{"releases":' + msgspec.json.encode(value.releases) + b',"rows":[\n' + rows + b"\n]}\n"


def decode_shipped(content: bytes) -> Shipped:
    """Read what `encode_shipped` wrote."""
    return decoder_of(Shipped).decode(content)


def _row_of(operation: Operation) -> Row:
    return Row(
        method=operation.method,
        path=operation.path,
        id=operation.id,
        action=operation.action,
        kind_group=operation.kind_group,
        kind_version=operation.kind_version,
        kind=operation.kind,
        deprecated=operation.deprecated,
        releases=0,
    )
