"""A cache of folders that are expensive to make: built binaries, the Go compiler, images.

An entry's name holds a hash of everything it was made from, so a changed source makes a new entry and nothing is ever
out of date. Entries appear whole (renamed into place), and two processes that want the same one make it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

STANDARD_ERROR = 2
"""Where the programs that make an entry write; sys.stderr is no file under some test runners."""


def directory() -> Path:
    """Return the cache's folder: $XDG_CACHE_HOME (or ~/.cache)/apisnoop/cluster."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "apisnoop" / "cluster"


def entry(name: str, sources: Iterable[bytes], make: Callable[[Path], None]) -> Path:
    """Return the folder made from `sources`, calling `make` with an empty folder when it is not there yet."""
    target = directory() / f"{name}-{_digest(sources)}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f"{target.name}.lock"), name):
        if not target.exists():
            _make(target, make)
    return target


def _digest(sources: Iterable[bytes]) -> str:
    digest = hashlib.sha256(platform.machine().encode())
    for source in sources:
        digest.update(hashlib.sha256(source).digest())
    return digest.hexdigest()[:12]


def _make(target: Path, make: Callable[[Path], None]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        make(draft)
        draft.chmod(0o755)
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft)
        raise


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that is making {name}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
