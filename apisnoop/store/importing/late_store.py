"""A store that is opened, or made, when it is first needed, so that an import that reads nothing leaves no file."""

from pathlib import Path
from types import TracebackType
from typing import Self

from apisnoop.store.store import Store


class LateStore:
    """Opens the store at `path` at the first call and gives the same one from then on. A context manager."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._store: Store | None = None

    def __call__(self) -> Store:
        """Give the open store. Raises StoreError as `Store.open` does."""
        if self._store is None:
            self._store = Store.open(self._path)
        return self._store

    @property
    def is_open(self) -> bool:
        """Whether it was needed."""
        return self._store is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            self._store.close()
