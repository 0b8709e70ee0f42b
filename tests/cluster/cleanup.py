"""Removing what a cluster leaves: when it ends, or before its slot is used again."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from . import cgroups, network
from .slot import slots_directory

if TYPE_CHECKING:
    from .slot import Slot


def clean(slot: Slot) -> None:
    """Kill and remove everything that belongs to a slot; the caller holds its lock.

    The slot's folder goes last, so that what could not be removed is found again next time.
    """
    clear(slot)
    if slot.directory.exists():
        shutil.rmtree(slot.directory)
    with contextlib.suppress(OSError):  # other clusters have folders in it
        slots_directory().rmdir()


def clear(slot: Slot) -> None:
    """Kill and remove everything that belongs to a slot outside its folder; the caller holds its lock.

    An ordinary user's slot has only etcd's data: devices and control groups are root's.
    """
    if os.geteuid() == 0:
        cgroups.remove(slot)
        network.remove(slot)
    if slot.memory_directory.exists():
        shutil.rmtree(slot.memory_directory)
