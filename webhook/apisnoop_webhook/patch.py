"""JSON Patch operations (RFC 6902) that leave alone what they are not about.

A list is never replaced and a missing parent is created first: other webhooks change the same pod before and after us.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

# "from" is a keyword of Python, hence the call.
Operation = TypedDict(
    "Operation",
    {
        "op": Literal["add", "remove", "replace", "move", "test"],
        "path": str,
        "value": NotRequired[Any],
        "from": NotRequired[str],
    },
)


def pointer(*words: str | int) -> str:
    """Join the words to a JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(word).replace('~', '~0').replace('/', '~1')}" for word in words)


def set_entry(parent: tuple[str, ...], entries: Mapping[str, str] | None, key: str, value: str) -> list[Operation]:
    """Set one entry of a map of strings, like annotations, which may be missing or null."""
    if entries is not None and entries.get(key) == value:
        return []
    create: list[Operation] = [] if entries is not None else [{"op": "add", "path": pointer(*parent), "value": {}}]
    return [*create, {"op": "add", "path": pointer(*parent, key), "value": value}]


def put_first(parent: tuple[str, ...], items: list[dict[str, Any]] | None, item: Mapping[str, Any]) -> list[Operation]:
    """Have `item` be the first of a list of named things, like containers, which may be missing or null.

    One of that name which is in the list already is moved, and replaced if anything that we set is different in it;
    what others added to it does not matter.
    """
    names = [other.get("name") for other in items or []]
    if item["name"] not in names:
        create: list[Operation] = [] if items is not None else [{"op": "add", "path": pointer(*parent), "value": []}]
        return [*create, {"op": "add", "path": pointer(*parent, 0), "value": item}]
    at = names.index(item["name"])
    found = (items or [])[at]
    patch: list[Operation] = []
    if at > 0:
        patch.append({"op": "move", "from": pointer(*parent, at), "path": pointer(*parent, 0)})
    if not contains(found, item):
        patch.append({"op": "replace", "path": pointer(*parent, 0), "value": item})
    return [{"op": "test", "path": pointer(*parent, at, "name"), "value": item["name"]}, *patch] if patch else []


def contains(thing: object, part: object) -> bool:
    """Whether `thing` has everything that `part` has, however much more; lists must be equal."""
    if isinstance(part, Mapping):
        return isinstance(thing, Mapping) and all(key in thing and contains(thing[key], part[key]) for key in part)
    return thing == part
