"""Snapshots of the node's store for whoever asks, one at a time: each takes as much room on the disk as the store.

Each is made after it was asked for, so that it has all calls up to then; who asks meanwhile waits for a turn, and is
told if that takes too long. The room is free again when the snapshot has been sent or its client has gone away.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError

TURN_SECONDS = 8.0
"""How long to wait for a turn; `apisnoop pull` waits ten seconds for an answer."""
PREFIX = "snapshot-"
"""Of the folders that snapshots are made in."""


class Snapshots:
    """Of one store. Use: `async with snapshots.take(wanted) as file`."""

    def __init__(self, write: Callable[[Path], Awaitable[None]], scratch: Path) -> None:
        """`write` makes a new file; `scratch` is the folder to do that in, rid here of what a killed proxy left."""
        self._write = write
        self._scratch = scratch
        self._turn = asyncio.Lock()
        for left in scratch.glob(f"{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    @asynccontextmanager
    async def take(self, wanted: Callable[[], bool]) -> AsyncIterator[BinaryIO | None]:
        """Give a new snapshot, open to be read; None if nobody wants it any more when its turn has come.

        Raises ApisnoopError, with the reason in words; then nothing is left of it.
        """
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise ApisnoopError("another snapshot of this node is being sent; ask again when it is done") from None
        try:
            if not wanted():
                yield None
                return
            with await self._make() as file:
                yield file
        finally:
            self._turn.release()

    async def _make(self) -> BinaryIO:
        """Make a snapshot whose file has no name any more: it is gone as soon as it is closed, by whatever."""
        try:
            folder = Path(mkdtemp(prefix=PREFIX, dir=self._scratch))
        except OSError as error:
            raise ApisnoopError(f"no snapshot can be made in {self._scratch}: {cause_of(error)}") from None
        try:
            path = folder / "apisnoop.db"
            await self._write(path)
            return path.open("rb")
        except OSError as error:
            raise ApisnoopError(f"no snapshot can be made in {self._scratch}: {cause_of(error)}") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
