"""What objects above pods say of recording, and how one gets from a ReplicaSet to the Deployment above it."""

import asyncio
import logging
from collections.abc import Callable, Collection

import aiohttp
import msgspec

from apisnoop.causes import cause_of
from apisnoop.decoding import decoder_of
from apisnoop.node.wanted import Marks, Metadata, OwnerReference, read_marks
from apisnoop_tproxy.api import Api, RefusedError

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_NOT_FOUND = 404


class Thing(msgspec.Struct, frozen=True):
    """An object of which only the metadata is read."""

    metadata: Metadata


class Owner(msgspec.Struct, frozen=True):
    """What is kept of an owner."""

    marks: Marks
    above: OwnerReference | None


def read_owner(kind: str, thing: Thing) -> Owner:
    """Keep what matters of an owner of this kind."""
    above = next((one for one in thing.metadata.owner_references or () if one.controller), None)
    return Owner(read_marks(kind.lower(), thing.metadata), above)


class ReplicaSets:
    """Those of this node's pods. What is above one never changes, so each is asked for once: not worth a watch."""

    def __init__(self, api: Api, found: Callable[[str], None]) -> None:
        """`found` is called with the UID of one when it is known what is above it."""
        self._api, self._found = api, found
        self._known: dict[str, Owner] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def get(self, uid: str) -> Owner | None:
        """Return one, None if it is not known (yet)."""
        return self._known.get(uid)

    def need(self, namespace: str, reference: OwnerReference, tasks: asyncio.TaskGroup) -> None:
        """Look for one, until it is found or needed no more."""
        if reference.uid not in self._looking:
            self._looking[reference.uid] = tasks.create_task(self._look(namespace, reference))

    def keep(self, uids: Collection[str]) -> None:
        """Forget all but these."""
        for uid in self._looking.keys() - uids:
            self._looking.pop(uid).cancel()
            self._known.pop(uid, None)

    async def _look(self, namespace: str, reference: OwnerReference) -> None:
        path, pause = f"/apis/apps/v1/namespaces/{namespace}/replicasets/{reference.name}", _FIRST_PAUSE
        while True:
            try:
                thing = decoder_of(Thing).decode(await self._api.get(path, metadata=""))
                break
            except (RefusedError, aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
                if isinstance(error, RefusedError) and error.status == _NOT_FOUND:
                    return  # it was deleted, and its pods are about to follow
                logger.warning("%s: %s", path, cause_of(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if thing.metadata.uid == reference.uid:
            self._known[reference.uid] = read_owner("ReplicaSet", thing)
            self._found(reference.uid)
