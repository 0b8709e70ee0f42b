"""A store that is opened, or made, when it is first needed, so that an import that reads nothing leaves no file."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from apisnoop.store.store import Store

HOLDS_SOMETHING = """
    SELECT EXISTS (SELECT 1 FROM tallies) OR EXISTS (SELECT 1 FROM unfinished) OR EXISTS (SELECT 1 FROM runs)
        OR EXISTS (SELECT 1 FROM nodes)
"""
"""Of whoever has written to a store meanwhile, too."""


class LateStore:
    """Opens the store at `path` at the first call and gives the same one from then on. A context manager."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._store: Store | None = None
        self._is_new = False

    def __call__(self) -> Store:
        """Give the open store. Raises StoreError as `Store.open` does."""
        if self._store is None:
            self._is_new = not Path(self._path).exists()
            self._store = Store.open(self._path)
        return self._store

    @property
    def is_open(self) -> bool:
        """Whether it was needed."""
        return self._store is not None

    def discard_unused(self) -> None:
        """Remove a store that was made here if no call has come into it; one that others have open stays."""
        if self._store is None or not self._is_new:
            return
        # Suppressed: it is in use, or cannot be removed. An empty store does no harm.
        with suppress(sqlite3.OperationalError, OSError):
            connection = self._store.connection
            connection.execute("PRAGMA busy_timeout = 0")
            # Only who is alone with a file may leave WAL mode (https://www.sqlite.org/pragma.html#pragma_journal_mode).
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            if not connection.execute(HOLDS_SOMETHING).fetchone()[0]:
                Path(self._path).resolve().unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            self._store.close()
