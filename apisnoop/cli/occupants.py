"""What is in a namespace besides apisnoop, and would go with it if the namespace was deleted.

Every kind is looked at that the API server serves and that can be deleted, as the namespace's own end would delete it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from apisnoop.cli.cluster_objects import decode, list_objects
from apisnoop.cluster_api import Api
from apisnoop.errors import RefusedError
from apisnoop.fleet.objects import Thing
from apisnoop.fleet.remains import is_foreign


class Kind(msgspec.Struct, frozen=True):
    """A kind of a group's version, as discovery has it (meta/v1 APIResource)."""

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


def occupants(api: Api, namespace: str) -> list[str]:
    """Name what is not apisnoop's, and what cannot be looked at. Raises ApisnoopError where nobody answers."""
    found: list[str] = []
    kinds = dict[str, Kind]()
    for version in _versions(api):
        with _refusals_in(found):
            kinds |= {f"{path}/{one.name}": one for path, one in _kinds(api, version)}
    outside = frozenset(one.kind for one in kinds.values() if not one.namespaced)
    for collection, one in kinds.items():
        if not one.namespaced or not {"list", "delete"} <= one.verbs:
            continue
        base, _, plural = collection.rpartition("/")
        with _refusals_in(found):
            things = list_objects(api, f"{base}/namespaces/{namespace}/{plural}", Thing)
            foreign = (thing.metadata.name for thing in things if is_foreign(one.kind, thing.metadata, outside))
            found += [f"{one.kind} {name}" for name in foreign]
    return sorted(set(found))


@contextmanager
def _refusals_in(found: list[str]) -> Iterator[None]:
    """Note what may not be looked at: there may be something. What is not served holds nothing."""
    try:
        yield
    except RefusedError as error:
        if error.status != 404:
            found.append(f"what cannot be looked at ({error})")


def _versions(api: Api) -> Iterator[str]:
    """Give every version of every group, as paths; what a kind's versions hold is the same, and is named once."""
    yield "/api/v1"
    for group in _read(api, "/apis", Groups).groups:
        yield from (f"/apis/{one.group_version}" for one in group.versions)


def _kinds(api: Api, version: str) -> Iterator[tuple[str, Kind]]:
    for one in _read(api, version, Kinds).resources:
        if "/" not in one.name:  # else it is a part of another
            yield version, one


def _read[T](api: Api, path: str, kind: type[T]) -> T:
    return decode(msgspec.json.Decoder(kind), api.read(path), path)
