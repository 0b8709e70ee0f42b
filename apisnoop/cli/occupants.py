"""What is in a namespace besides apisnoop, and would go with it if the namespace was deleted.

Every kind is looked at that the API server serves and that can be deleted, as the namespace's own end would delete it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from apisnoop.cli.cluster_objects import list_objects
from apisnoop.cli.discovery import Kind, kinds_of, versions_of
from apisnoop.cluster_api import Api
from apisnoop.errors import RefusedError
from apisnoop.fleet.objects import Thing
from apisnoop.fleet.remains import is_foreign


def occupants(api: Api, namespace: str) -> list[str]:
    """Name what is not apisnoop's, and what cannot be looked at. Raises ApisnoopError where nobody answers."""
    found: list[str] = []
    kinds = dict[str, Kind]()
    for version in versions_of(api):  # what a kind's versions hold is the same, and is named once
        with _refusals_in(found):
            # A name with a slash is a part of another.
            kinds |= {f"{version}/{one.name}": one for one in kinds_of(api, version) if "/" not in one.name}
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
