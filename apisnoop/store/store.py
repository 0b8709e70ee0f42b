"""The store: one SQLite file, opened, brought to the current version, read and added to.

Several processes may read and write it at the same time: it is in WAL mode, and a writer takes the lock at the start of
its transaction and waits for another. What questions can be asked of it is the business of `queries`.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from apisnoop.calls.durations import DurationsSum, merge_durations
from apisnoop.calls.tally import TallyBatch
from apisnoop.store.caps import Caps
from apisnoop.store.connection import MEMORY, connect, prepare_for_writing
from apisnoop.store.errors import StoreError, store_errors
from apisnoop.store.fold import fold_batch
from apisnoop.store.queries import RunRow
from apisnoop.store.schema import APPLICATION_ID, STEPS, VERSION

if TYPE_CHECKING:
    from sqlite_utils import Database


class CatalogueFacts(Protocol):
    """What the store keeps of a catalogue."""

    @property
    def release(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Store:
    """An open store. Use as a context manager, or call `close`."""

    def __init__(self, connection: sqlite3.Connection, path: str, caps: Caps) -> None:
        self.connection = connection
        """The SQLite connection, for `queries`."""
        self.path = path
        """As the user named it."""
        self.file = path
        """The file that holds it: another one where an older store was opened read-only and had to be upgraded."""
        self.caps = caps
        self._copy: TemporaryDirectory[str] | None = None
        self._add_functions()

    @classmethod
    def open(
        cls, path: Path | str, *, create: bool = True, read_only: bool = False, caps: Caps | None = None
    ) -> "Store":
        """Open the store at `path` (":memory:" for one that is never kept), creating and upgrading it as needed.

        Raises StoreError if there is none and `create` is false, if the file is something else, comes from a newer
        version, or cannot be written although `read_only` is false.
        """
        name = str(path)
        if name != MEMORY and (read_only or not create) and not Path(name).is_file():
            raise StoreError(
                f"store {name} does not exist: name one that does, or make it with --db of `apisnoop import`, `run` or "
                "`pull`"
            )
        if not read_only and Path(name).is_file() and not os.access(name, os.W_OK, effective_ids=True):
            raise StoreError(f"store {name} cannot be written: check its permissions, or name another file")
        with store_errors(name):
            store = cls(connect(name, read_only=read_only), name, caps or Caps())
            try:
                store._prepare(read_only=read_only)
            except BaseException:
                store.close()
                raise
        return store

    def _prepare(self, *, read_only: bool) -> None:
        version = self._version()
        if not read_only:
            prepare_for_writing(self.connection)
        elif version < VERSION:
            self._move_to_copy()
        if version < VERSION:
            self._upgrade()

    def _move_to_copy(self) -> None:
        """Go on with a temporary copy, which can be upgraded where the file itself must not be written."""
        self._copy = TemporaryDirectory(prefix="apisnoop-")
        self.file = str(Path(self._copy.name, "store.db"))
        copy = connect(self.file, read_only=False)
        self.connection.backup(copy)
        self.connection.close()
        self.connection = copy
        self._add_functions()

    def _add_functions(self) -> None:
        self.connection.create_function("merge_durations", 2, merge_durations, deterministic=True)
        self.connection.create_aggregate("sum_durations", 1, DurationsSum)  # type: ignore[arg-type]  # typeshed has numbers only

    def _version(self) -> int:
        connection = self.connection
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != APPLICATION_ID and not (is_empty and application == version == 0):
            raise StoreError(f"store {self.path} is an SQLite file of another program: name another file")
        if version > VERSION:
            raise StoreError(
                f"store {self.path} was written by a newer apisnoop (format {version}, this one knows {VERSION}): "
                "upgrade apisnoop, or name another file"
            )
        return version

    def _upgrade(self) -> None:
        with self.transaction():
            db = self.db
            for step in STEPS[self._version() :]:
                step(db)
            self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self.connection.execute(f"PRAGMA user_version = {VERSION}")

    @property
    def identity(self) -> str:
        """What tells this store from every other; a copy of it has the same."""
        return str(self.connection.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()[0])

    @property
    def db(self) -> "Database":
        """The store as sqlite-utils sees it."""
        from sqlite_utils import Database  # noqa: PLC0415 - takes 50 ms, and most commands only read

        return Database(self.connection, execute_plugins=False)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen or not happen; inside another transaction it simply belongs to that one."""
        connection = self.connection
        if connection.in_transaction:
            yield
            return
        with store_errors(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()  # does nothing where the failure has ended the transaction already
                raise

    def add(self, batch: TallyBatch, *, catalogue: CatalogueFacts | None = None) -> None:
        """Add a batch, and note the catalogue it was counted against, in one transaction."""
        with self.transaction():
            fold_batch(self.connection, batch, self.caps)
            if catalogue is not None:
                self.note_catalogue(catalogue)

    def note_catalogue(self, catalogue: CatalogueFacts) -> None:
        """Remember that calls were matched against this catalogue."""
        self.connection.execute(
            "INSERT INTO catalogues (release, source, digest, first_used, last_used) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET last_used = max(last_used, excluded.last_used)",
            (catalogue.release, catalogue.source, catalogue.digest, now := time(), now),
        )

    def save_run(self, run: RunRow) -> None:
        """Add a watched command, or bring the one with the same id up to date; its command names no arguments."""
        with self.transaction():
            self.db.table("runs").upsert(msgspec.structs.asdict(run), pk="id")

    def copy_to(self, path: Path) -> None:
        """Write all that is in the store to a new file, as of now, whoever writes meanwhile. Raises StoreError."""
        with store_errors(str(path)):
            self.connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
