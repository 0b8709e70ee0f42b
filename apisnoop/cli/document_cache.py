"""OpenAPI documents of clusters, as read once, in the user's cache folder: a later start needs only what has changed.

The API server names each document's hash, so an entry never goes stale; only what we read of a document is kept. A
cache that cannot be used costs time, nothing else.
"""

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from apisnoop.decoding import decoder_of
from apisnoop.operations.document import Document

KEPT = 1000
"""Documents kept, some 10 kB each; the least recently used go first."""
_FORM = "openapi-1"
"""Part of the path: another form of what is kept gets another folder."""


class DocumentCache:
    """Documents by any key that names their contents."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _cache_folder()

    def get(self, key: str) -> Document | None:
        """Give a document that was put earlier, or None."""
        path = self._path(key)
        try:
            document = decoder_of(Document).decode(path.read_bytes())
            path.touch()
        except (OSError, msgspec.DecodeError):
            return None
        return document

    def put(self, key: str, document: Document) -> None:
        """Keep a document; whoever reads meanwhile sees all of it or nothing."""
        path = self._path(key)
        unfinished = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_bytes(msgspec.json.encode(document))
            unfinished.replace(path)

    def prune(self) -> None:
        """Drop the least recently used beyond `KEPT`."""
        with contextlib.suppress(OSError):
            files = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
            for file in files[KEPT:]:
                file.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _cache_folder() -> Path:
    """Follow https://specifications.freedesktop.org/basedir-spec/: relative values do not count."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".cache"
    return base / "apisnoop" / _FORM
