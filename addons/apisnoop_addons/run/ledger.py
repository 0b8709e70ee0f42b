"""The ledger of a run: takes calls from the proxy, and about once a second adds them to the store and the call file.

Writing is done in a thread, so that a slow disk or a locked store never delays a call; what was written survives
whatever happens to us afterwards. The calls are also counted in memory, which is what the run reports on: the store
may hold more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from apisnoop.calls.call import Call
from apisnoop.calls.call_line import encode_call
from apisnoop.calls.tally import TallyBatch
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.queries import RunRow
from apisnoop.store.store import Store

FLUSH_SECONDS = 0.5
"""How long a call may be in memory alone."""


class Ledger:
    """Keeps the calls of one run. Use: `open`, `begin`, `record` any number of times, `close`; in one event loop."""

    def __init__(self, db: Path, calls: Path | None) -> None:
        """`db` is the store to add to; `calls` a file for one JSON line a call."""
        self.total = TallyBatch()
        """All calls since `begin`, for the report."""
        self.count = 0
        """How many they are."""
        self.troubles: list[str] = []
        """What could not be kept, in sentences; complete after `close`."""
        self._writer = _Writer(db, calls)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._pending: list[Call] = []
        self._writes: list[Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False

    async def open(self) -> Self:
        """Open store and file. Raises ApisnoopError: it is better to know before the command has run."""
        await self._in_thread(self._writer.open)
        return self

    def begin(self, run: RunRow, catalogue: Catalogue) -> None:
        """Count what is recorded from now on as calls of this run; what came before was our own."""
        self._begun = True
        self._writer.run, self._writer.catalogue = run, catalogue
        self._flush_later()

    def record(self, call: Call) -> None:
        """Take a call."""
        if not self._begun:
            return
        self.count += 1
        self._pending.append(call)
        self._flush_later()

    async def close(self, run: RunRow | None) -> None:
        """Write what is left, and `run` with its end; None: the run never began."""
        if self._timer is not None:
            self._timer.cancel()
        self._flush()
        await self._in_thread(lambda: self._writer.close(run))
        self._thread.shutdown()
        for written in self._writes:
            written.result()  # raises what a fault of ours raised in the thread
        self.troubles += self._writer.troubles()

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        calls, self._pending = self._pending, []
        self._writes = [written for written in self._writes if not written.done() or written.exception()]
        self._writes.append(self._thread.submit(self._count_and_write, calls))

    def _count_and_write(self, calls: list[Call]) -> None:
        batch = TallyBatch()
        for call in calls:
            batch.add(call)
        self.total.merge(batch)
        self._writer.write(calls, batch)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Writer:
    """The part of a ledger that lives in its thread."""

    def __init__(self, db: Path, calls: Path | None) -> None:
        self._db = db
        self._path = calls
        self._file: BinaryIO | None = None
        self._store: Store | None = None
        self.run: RunRow | None = None
        self.catalogue: Catalogue | None = None
        self._unsaved = TallyBatch()
        self._store_trouble = ""
        self._file_trouble = ""

    def open(self) -> None:
        if self._path is not None:
            try:
                self._file = self._path.open("wb")
            except OSError as error:
                why = error.strerror
                raise ApisnoopError(f"--calls {self._path} cannot be written: {why}; name another file") from None
        try:
            self._store = Store.open(self._db)
        except BaseException:
            self._close_file()
            raise

    def write(self, calls: list[Call], batch: TallyBatch) -> None:
        self._unsaved.merge(batch)
        if self.run is not None:
            self.run = msgspec.structs.replace(self.run, calls=self.run.calls + len(calls))
        self._write_lines(calls)
        self._save()

    def close(self, run: RunRow | None) -> None:
        self.run = run
        self._save()
        if self._store is not None:
            self._store.close()
        self._close_file()

    def troubles(self) -> list[str]:
        return [trouble for trouble in (self._store_trouble, self._file_trouble) if trouble]

    def _save(self) -> None:
        """Add what the store does not have yet; where that fails it is tried again with the next calls."""
        if self._store is None or self.run is None:
            return
        try:
            with self._store.transaction():
                self._store.add(self._unsaved, catalogue=self.catalogue)
                self._store.save_run(self.run)
        except ApisnoopError as error:
            self._store_trouble = f"{self._unsaved.calls} calls were not added: {error}"
        else:
            self._unsaved = TallyBatch()
            self._store_trouble = ""

    def _write_lines(self, calls: list[Call]) -> None:
        if self._file is None or self._file_trouble:
            return
        try:
            self._file.write(b"".join(map(encode_call, calls)))
            self._file.flush()
        except OSError as error:
            self._file_trouble = self._incomplete(error)

    def _close_file(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            self._file_trouble = self._incomplete(error)

    def _incomplete(self, error: OSError) -> str:
        return f"--calls {self._path} is incomplete: {error.strerror}; free some space and run again"
