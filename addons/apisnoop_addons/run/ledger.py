"""The ledger of a run: takes calls from the proxy, and about twice a second adds them to the store and the call file.

Writing is done in threads, so that a slow disk or a locked store never delays a call; what was written survives
whatever happens to us afterwards. While the store is locked, calls are counted on in one batch, which is bounded by
itself and loses none. The calls are also counted in memory, which is what the run reports on: the store may hold more.
"""

import asyncio
from pathlib import Path
from typing import Self

import msgspec

from apisnoop.calls.call import Call
from apisnoop.calls.tally import TallyBatch
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.queries import RunRow
from apisnoop.store.store import Store
from apisnoop_addons.run.call_file import CallFile
from apisnoop_addons.writing_thread import WritingThread

FLUSH_SECONDS = 0.5
"""How long a call may be in memory alone while the store takes what it is given."""


class Ledger:
    """Keeps the calls of one run. Use: `open`, `begin`, `record` any number of times, `close`; in one event loop."""

    def __init__(self, db: Path, calls: Path | None) -> None:
        """`db` is the store to add to; `calls` a file for one JSON line a call."""
        self.count = 0
        """The calls since `begin`."""
        self.troubles: list[str] = []
        """What could not be kept, in sentences; complete after `close`."""
        self._writer = _StoreWriter(db)
        self._thread = WritingThread("ledger")
        self._file = None if calls is None else CallFile(calls)
        self._batch = TallyBatch()
        self._run: RunRow | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_begun(self) -> bool:
        """Whether calls are the command's by now."""
        return self._run is not None

    @property
    def total(self) -> TallyBatch:
        """All calls since `begin`, for the report; complete after `close`."""
        return self._writer.total

    async def open(self) -> Self:
        """Open store and file. Raises ApisnoopError: it is better to know before the command has run."""
        if self._file is not None:
            self._file.open()
        try:
            await self._thread.finish(self._writer.open)
        except BaseException:
            if self._file is not None:
                await self._file.close()
            raise
        return self

    def begin(self, run: RunRow, catalogue: Catalogue) -> None:
        """Count what is recorded from now on as calls of this run; what came before was our own."""
        self._run, self._writer.catalogue = run, catalogue
        self._flush_later()

    def record(self, call: Call) -> None:
        """Take a call."""
        if not self.has_begun:
            return
        self.count += 1
        self._batch.add(call)
        if self._file is not None:
            self._file.add(call)
        self._flush_later()

    async def close(self, run: RunRow | None) -> None:
        """Write what is left, and `run` with its end; None: the run never began."""
        if self._timer is not None:
            self._timer.cancel()
        batch = self._batch
        try:
            await self._thread.finish(lambda: self._writer.write(batch, run))
        finally:
            await self._thread.finish(self._writer.close)
            if self._file is not None:
                await self._file.close()
            self._thread.end()
        troubles = (self._writer.trouble, self._file.trouble() if self._file is not None else "")
        self.troubles = [trouble for trouble in troubles if trouble]

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        is_written = self._file is None or self._file.flush()
        is_free = self._thread.is_free
        if is_free:
            assert self._run is not None
            batch, run = self._batch, msgspec.structs.replace(self._run, calls=self.count)
            self._batch = TallyBatch()
            self._thread.begin(lambda: self._writer.write(batch, run))
        if not (is_written and is_free):
            self._flush_later()


class _StoreWriter:
    """The part of a ledger that lives in its thread."""

    def __init__(self, db: Path) -> None:
        self.catalogue: Catalogue | None = None
        self.total = TallyBatch()
        self.trouble = ""
        self._db = db
        self._store: Store | None = None
        self._unsaved = TallyBatch()

    def open(self) -> None:
        self._store = Store.open(self._db)

    def write(self, batch: TallyBatch, run: RunRow | None) -> None:
        """Add a batch and what the store has refused before; where it refuses again, that is for the next time."""
        self.total.merge(batch)
        self._unsaved.merge(batch)
        if self._store is None or run is None:
            return
        try:
            with self._store.transaction():
                self._store.add(self._unsaved, catalogue=self.catalogue)
                self._store.save_run(run)
        except ApisnoopError as error:
            self.trouble = f"{self._unsaved.calls} calls were not added: {error}"
        else:
            self._unsaved = TallyBatch()
            self.trouble = ""

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
