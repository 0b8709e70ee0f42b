"""The folder of one run: the temporary kubeconfig and the keys that plugins returned, for the user's eyes alone.

It is removed at the end of the run, whatever ended it. A run that is killed outright cannot tidy up, so a guard, a
shell that waits for the end of a pipe which only the run holds open, does it then and says so; where that is killed
too, the next run removes what no run has locked.
"""

import fcntl
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError

_PREFIX = "apisnoop-run-"
_LOCK = "lock"
# Reads a line or the end of the file. Only a run that ended by itself writes the line.
_GUARD = 'read -r _ || {{ rm -rf -- {folder}; printf "%s\\n" {message} >&2; }}'


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return where the folders of runs are made: the user's own runtime folder, else the one for temporary files."""
    own = environment.get("XDG_RUNTIME_DIR", "")
    return Path(own) if own and os.access(own, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


@contextmanager
def run_folder(parent: Path, message: str) -> Iterator[Path]:
    """Make a folder (0700) in `parent` that is gone afterwards; `message` is what the guard says on stderr if we
    are killed."""
    remove_stale(parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise ApisnoopError(f"no folder can be made in {parent} ({cause_of(error)}); set TMPDIR to another") from None
    with _lock(folder), _guard(folder, message):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_stale(parent: Path) -> None:
    """Remove the folders of runs that are no more: those that are ours and whose lock nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat(follow_symlinks=False).st_uid == os.geteuid() and not _is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    # Locked before it has its name: whoever sees a lock that nobody holds may remove the folder.
    nameless = folder / f"{_LOCK}.new"
    with nameless.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        nameless.rename(folder / _LOCK)
        yield


def _is_locked(folder: Path) -> bool:
    with (folder / _LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _guard(folder: Path, message: str) -> Iterator[None]:
    script = _GUARD.format(folder=shlex.quote(str(folder)), message=shlex.quote(message))
    read_end, write_end = os.pipe()
    # Not our standard output: whoever reads that waits until nobody has it open.
    files = [(os.POSIX_SPAWN_DUP2, read_end, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    # A session of its own: what a terminal or a process group is sent to end the run must not end the guard first.
    guard = os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ, file_actions=files, setsid=True)
    os.close(read_end)
    try:
        yield
    finally:
        with suppress(BrokenPipeError):
            os.write(write_end, b"\n")
        os.close(write_end)
        os.waitpid(guard, 0)
