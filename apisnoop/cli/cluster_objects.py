"""Reading objects of a cluster for the verbs that look into it: in pages, typed, and no more of each than is needed."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from apisnoop.causes import cause_of
from apisnoop.cli.namespaces import current_namespace
from apisnoop.cluster_api import JSON, Api
from apisnoop.decoding import Decoder, decoder_of
from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.fleet.kinds import KINDS, NAMESPACE, OWNERS, REPLICA_SETS
from apisnoop.fleet.objects import Page, Thing
from apisnoop.fleet.wishes import REPLICA_SET, Above, Wishes, above_from
from apisnoop.node.wanted import Marks, read_marks

PROGRAM = "kubectl-apisnoop"
"""How we call ourselves to the API server."""
PAGE = "500"
COMPLETION_PATIENCE = 2.0
"""Seconds for which a shell may be kept waiting."""
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def open_api(kubeconfig: Path | None, context: str | None) -> Api:
    """Give the API server of a kubeconfig. Raises ApisnoopError."""
    return Api(kubeconfig, context, program=PROGRAM, patience=30)


def list_objects[T](api: Api, path: str, kind: type[T], **query: str) -> Iterator[T]:
    """Read a collection page by page. Raises ApisnoopError."""
    accept = METADATA if kind is Thing else JSON
    decoder = decoder_of(Page[kind])  # type: ignore[valid-type]
    following = ""
    while True:
        more = {"continue": following} if following else {}
        page = decode(decoder, api.read(path, accept, limit=PAGE, **query, **more), path)
        yield from page.items or ()
        following = page.metadata.continue_
        if not following:
            return


def read_object[T](api: Api, path: str, kind: type[T]) -> T | None:
    """Read an object; None if there is none. Raises ApisnoopError."""
    try:
        return decode(decoder_of(kind), api.read(path), path)
    except RefusedError as error:
        if error.status == 404:
            return None
        raise


def decode[T](decoder: Decoder[T], body: bytes, path: str) -> T:
    """Decode what the server has sent. Raises ApisnoopError naming the path."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApisnoopError(f"the API server's answer to {path} cannot be read: {cause_of(error)}") from None


type Refused = Callable[[RefusedError], None]
"""Is told what may not be read, so that it can be left out."""


def read_wishes(api: Api, namespace: str | None) -> Wishes:
    """Read everything above pods that can ask for recording, of one namespace or of all. Raises ApisnoopError."""
    return Wishes(read_owners(api, namespace, refuse), read_namespaces(api, namespace, refuse))


def read_owners(api: Api, namespace: str | None, refused: Refused) -> dict[str, Above]:
    """Read what makes pods, by its UID. Raises ApisnoopError."""
    replica_sets = REPLICA_SETS.format(f"/namespaces/{namespace}" if namespace else "")
    collections = [*((kind.name, kind.collection(namespace)) for kind in OWNERS), (REPLICA_SET, replica_sets)]
    owners: dict[str, Above] = {}
    for name, collection in collections:
        try:
            owners |= above_from(name, list_objects(api, collection, Thing))
        except RefusedError as error:
            refused(error)
    return owners


def read_namespaces(api: Api, namespace: str | None, refused: Refused) -> dict[str, Marks]:
    """Read what all namespaces say, or a single one, which takes no right to list them. Raises ApisnoopError."""
    collection = NAMESPACE.collection(None)
    try:
        found: Iterable[Thing | None] = (
            [read_object(api, f"{collection}/{namespace}", Thing)]
            if namespace
            else list(list_objects(api, collection, Thing))
        )
    except RefusedError as error:
        refused(error)
        found = ()
    return {one.metadata.name: read_marks("namespace", one.metadata) for one in found if one is not None}


def refuse(error: RefusedError) -> None:
    """Leave nothing out: a `Refused` for whoever needs all."""
    raise error


def names_of(kind: str, kubeconfig: Path | None, context: str | None, namespace: str | None) -> list[str]:
    """Give the names of some objects of a kind, for completion: quickly or not at all. Raises ApisnoopError."""
    found = next(one for one in KINDS if one.name == kind)
    api = Api(kubeconfig, context, program=PROGRAM, patience=COMPLETION_PATIENCE)
    path = found.collection(namespace or current_namespace(kubeconfig, context))
    page = decode(decoder_of(Page[Thing]), api.read(path, METADATA, limit=PAGE), path)
    return sorted(one.metadata.name for one in page.items or ())
