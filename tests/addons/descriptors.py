"""What a running process has open, read while it opens and closes other things."""

import os
from contextlib import suppress
from pathlib import Path

LISTEN = "0A"
"""TCP_LISTEN, as in /proc/net/tcp."""


def links(pid: int) -> dict[int, str]:
    """Give what each descriptor of a process is, but for those that are closed meanwhile."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[int(entry.name)] = str(entry.readlink())
    return found


def files_written(pid: int) -> list[str]:
    """List the files that a process has open to write to them, but for its standard streams."""
    return [path for fd, path in links(pid).items() if fd > 2 and path.startswith("/") and _is_written(pid, fd)]


def _is_written(pid: int, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines()
        flags = next(line for line in lines if line.startswith("flags:")).split()[1]
        return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def listening(pid: int) -> list[str]:
    """List the addresses on which a process listens, as /proc/net/tcp writes them."""
    inodes = {link[8:-1] for link in links(pid).values() if link.startswith("socket:[")}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return [row[1] for row in rows if row[3] == LISTEN and row[9] in inodes]
