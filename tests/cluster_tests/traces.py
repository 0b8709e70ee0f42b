"""Looking for what a cluster leaves on a machine.

Other clusters may come and go meanwhile, even one that takes the same slot as soon as it is free. So a trace is told
from its successor by what the kernel never uses twice at a time: a process by its start, a file by its inode.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cluster import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cluster.slot import Slot


class Trace(NamedTuple):
    """One thing a cluster has on the machine; `identity` tells it from others of that name."""

    kind: str
    name: str
    identity: str


def traces(slot: Slot) -> set[Trace]:
    """List the processes, control groups, devices, folders and mounts of a slot."""
    groups = [hierarchy.path / slot.name for hierarchy in cgroups.hierarchies()]
    found = {Trace("process", str(pid), _start_of(pid)) for pid in processes(slot)}
    found |= set(_inodes("cgroup", groups))
    found |= set(_inodes("device", [Path("/sys/class/net", slot.name)]))
    found |= set(_inodes("folder", [slot.directory, slot.memory_directory]))
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return found | {Trace("mount", line.split()[4], line.split()[0]) for line in mounts if f"{slot.directory}/" in line}


def kinds(found: Iterable[Trace]) -> set[str]:
    """Return of which kinds the traces are."""
    return {trace.kind for trace in found}


def processes(slot: Slot) -> list[int]:
    """List the processes of a slot: its keeper, those that name its folders, those in its control groups."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _belongs(entry, slot)]


def _belongs(process: Path, slot: Slot) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        groups = (process / "cgroup").read_text()
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False
    if state == "Z":  # it has ended, and only its parent has not looked yet
        return False
    is_keeper = words[1:4] == [b"-m", b"cluster.keeper", str(slot.index).encode()]
    folders = [f"{folder}/".encode() for folder in (slot.directory, slot.memory_directory)]
    return is_keeper or any(folder in word for word in words for folder in folders) or f"/{slot.name}/" in groups


def _start_of(pid: int) -> str:
    """Return when a process started, in clock ticks since boot: field 22 of proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return "ended"


def _inodes(kind: str, paths: Iterable[Path]) -> Iterator[Trace]:
    for path in paths:
        if path.exists():
            yield Trace(kind, str(path), str(path.stat().st_ino))
