"""Taking a slot, and cleaning those whose cluster died.

A slot is held through a lock on its folder. The kernel drops the lock when its last holder ends, however it ended: a
folder that is there and not locked belonged to a cluster that was killed.
"""

from __future__ import annotations

import fcntl
import os
import sys
from typing import TYPE_CHECKING

from . import network
from .cleanup import clean, clear
from .slot import SLOTS, Slot, slots_directory

if TYPE_CHECKING:
    from pathlib import Path


def claim() -> tuple[Slot, int]:
    """Take a free slot: return it and the descriptor that holds it until its last copy is closed.

    Cleans what killed clusters left behind on the way. Raises RuntimeError when no slot is to be had.
    """
    sweep()
    routes = network.routes() if os.geteuid() == 0 else []
    for slot in map(Slot, range(SLOTS)):
        if network.is_free(slot, routes) and (lock := _try_lock(slot)) is not None:
            if not any(slot.directory.iterdir()):
                clear(slot)  # in case somebody removed the folder of a dead cluster by hand
                return slot, lock
            os.close(lock)  # it holds what `sweep` could not remove
    raise RuntimeError(
        f"no slot of {SLOTS} is free: `scripts/cluster status` shows the running clusters; "
        "a slot whose addresses (10.89.N.0/24, 10.20N.0.0/16) the machine already routes is not used"
    )


def sweep() -> None:
    """Clean every slot whose cluster is dead; what cannot be removed is told on standard error."""
    for slot in used():
        if (lock := _try_lock(slot)) is not None:
            try:
                clean(slot)
            except OSError as error:
                print(f"cluster {slot.index} is dead but cannot be removed: {error}", file=sys.stderr)
            finally:
                os.close(lock)


def running() -> list[Slot]:
    """List the slots that a living cluster holds."""
    return [slot for slot in used() if _is_held(slot)]


def used() -> list[Slot]:
    """List the slots that have a folder, running or dead."""
    try:
        entries = list(slots_directory().iterdir())
    except FileNotFoundError:
        return []
    return [Slot(index) for index in sorted(int(entry.name) for entry in entries)]


def _try_lock(slot: Slot) -> int | None:
    """Lock a slot and return the descriptor that holds it, or None when somebody else does.

    The lock is a BSD lock on the slot's folder itself, which also keeps systemd-tmpfiles from ageing its content.
    """
    while True:
        descriptor = _open(slot.directory)
        if descriptor is None:
            continue
        if not _lock(descriptor):
            os.close(descriptor)
            return None
        if _is_still(slot.directory, descriptor):
            return descriptor
        os.close(descriptor)


def _open(directory: Path) -> int | None:
    """Open a slot's folder, made if need be; None when somebody removes it at this very moment."""
    parent = directory.parent
    parent.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{parent} belongs to user {parent.stat().st_uid}; remove it, nobody else should have it")
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None


def _is_held(slot: Slot) -> bool:
    """Tell whether somebody holds a slot, without taking it for longer than the look."""
    try:
        descriptor = os.open(slot.directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(directory: Path, descriptor: int) -> bool:
    """Tell whether `descriptor` is the folder of that name: its last holder removes it before it lets go."""
    try:
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
