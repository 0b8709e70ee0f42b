"""What kinds an API server serves, as it says itself, for whoever needs no more than names and verbs of them."""

from collections.abc import Iterator

import msgspec

from apisnoop.cli.cluster_objects import decode
from apisnoop.cluster_api import Api
from apisnoop.decoding import decoder_of


class Kind(msgspec.Struct, frozen=True):
    """A kind of a group's version, or a part of one (pods/log), as discovery has it (meta/v1 APIResource)."""

    name: str = ""
    kind: str = ""
    namespaced: bool = False
    verbs: frozenset[str] = frozenset()


class Kinds(msgspec.Struct, frozen=True):
    """The kinds of a group's version (meta/v1 APIResourceList)."""

    resources: tuple[Kind, ...] = ()


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """A group's version: apps/v1."""

    group_version: str = ""


class Group(msgspec.Struct, frozen=True):
    """A group with its versions (meta/v1 APIGroup)."""

    versions: tuple[Version, ...] = ()


class Groups(msgspec.Struct, frozen=True):
    """All groups but the core (meta/v1 APIGroupList)."""

    groups: tuple[Group, ...] = ()


def versions_of(api: Api) -> Iterator[str]:
    """Give every version of every group, as paths. Raises ApisnoopError."""
    yield "/api/v1"
    for group in _read(api, "/apis", Groups).groups:
        yield from (f"/apis/{one.group_version}" for one in group.versions)


def kinds_of(api: Api, version: str) -> tuple[Kind, ...]:
    """Give the kinds of a version, which is a path, and their parts. Raises ApisnoopError."""
    return _read(api, version, Kinds).resources


def _read[T](api: Api, path: str, kind: type[T]) -> T:
    return decode(decoder_of(kind), api.read(path), path)
