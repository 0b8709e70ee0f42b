"""Following one collection of the API server: list, then watch from there, and again whenever that ends.

What is told is always the whole truth in the end: after a list, whatever was not in it is gone.
"""

import asyncio
import logging
import random
from typing import Protocol

import aiohttp
import msgspec

from apisnoop.decoding import decoder_of
from apisnoop_tproxy.api import Api, RefusedError

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 20.0
_WATCH_SECONDS = 240
_GONE = 410


class Collection[Object](msgspec.Struct, frozen=True):
    """What to follow."""

    path: str
    kind: type[Object]
    """How one object is decoded."""
    query: dict[str, str] = {}
    metadata: bool = False
    """Only objects' metadata, which is all that most are wanted for."""


class Follower[Object](Protocol):
    """Who wants to know."""

    def listed(self, objects: list[Object]) -> None:
        """Take all there is."""

    def changed(self, thing: Object) -> None:
        """Take one that has come or changed."""

    def deleted(self, thing: Object) -> None:
        """Take one that has gone."""


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _List[Object](msgspec.Struct):
    metadata: _ListMetadata
    items: list[Object] | None
    """Null where only metadata is asked for and there is none."""


class _Gone(Exception):  # noqa: N818 - the server's word for it
    """What was to be resumed is too old: list anew."""


async def follow[Object](api: Api, collection: Collection[Object], follower: Follower[Object]) -> None:
    """Follow a collection until cancelled. Failures are logged, and tried again after a growing pause."""
    pause, version = _FIRST_PAUSE, ""
    while True:
        try:
            if not version:
                version = await _list(api, collection, follower)
            version = await _watch(api, collection, follower, version)
            pause = _FIRST_PAUSE
            continue
        except _Gone:
            version = ""
            continue
        except (aiohttp.ClientError, OSError, TimeoutError, RefusedError, msgspec.MsgspecError) as error:
            logger.warning("%s: %s", collection.path, str(error) or type(error).__name__)
            version = ""
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - agents should not all come at once
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _list[Object](api: Api, collection: Collection[Object], follower: Follower[Object]) -> str:
    body = await api.get(collection.path, collection.query, metadata="List" if collection.metadata else None)
    found = decoder_of(_List[collection.kind]).decode(body)  # type: ignore[name-defined]
    follower.listed(found.items or [])
    return found.metadata.resource_version


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Versioned(msgspec.Struct):
    metadata: _ListMetadata
    code: int = 0


async def _watch[Object](api: Api, collection: Collection[Object], follower: Follower[Object], version: str) -> str:
    """Watch until the server ends it; return from where to go on. Raises _Gone if that is too long ago."""
    query = {
        **collection.query,
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(_WATCH_SECONDS),
    }
    try:
        async for line in api.lines(collection.path, query, metadata=collection.metadata):
            event = decoder_of(_Event).decode(line)
            if event.type == "ERROR":
                raise _Gone
            version = decoder_of(_Versioned).decode(event.object).metadata.resource_version
            if event.type == "BOOKMARK":
                continue
            thing = decoder_of(collection.kind).decode(event.object)
            if event.type == "DELETED":
                follower.deleted(thing)
            else:
                follower.changed(thing)
    except RefusedError as error:
        if error.status == _GONE:
            raise _Gone from None
        raise
    return version
