"""What the webhook needs of the API server, and where in it its own objects are."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

type Json = dict[str, Any]


class Cluster(Protocol):
    """Requests as plain JSON; each blocks, and raises ApisnoopError (RefusedError for an answer that is an error)."""

    def get(self, path: str, **query: str) -> Json:
        """Read an object or a list."""

    def create(self, path: str, thing: Mapping[str, Any]) -> Json:
        """Create an object."""

    def replace(self, path: str, thing: Mapping[str, Any]) -> Json:
        """Replace an object; refused with 409 if it has changed since it was read."""

    def watch(self, path: str, name: str, seconds: float) -> Iterator[tuple[str, Json]]:
        """Yield (event type, object) for one object of a collection, its present state first, for `seconds` at most."""


def namespaced(resource: str, namespace: str, name: str = "", *, group: str = "") -> str:
    """Give the path of a namespaced object, or of the collection without a name; `group` is like apps/v1."""
    root = f"/apis/{group}" if group else "/api/v1"
    return f"{root}/namespaces/{namespace}/{resource}{f'/{name}' if name else ''}"
