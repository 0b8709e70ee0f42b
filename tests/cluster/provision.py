"""Everything a cluster needs that takes long to get: programs, images, packages of the distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import binaries, images, packages

if TYPE_CHECKING:
    from pathlib import Path


class Provisions(NamedTuple):
    """Where the programs and images of a cluster with nodes are."""

    programs: tuple[Path, ...]
    """Folders of programs."""
    images: Path
    """A docker-archive."""


def provide_nodes() -> Provisions:
    """Build or fetch what a cluster with nodes needs, unless it is there; seconds later, minutes the first time."""
    packages.require()
    programs = (binaries.build(binaries.KUBERNETES), binaries.build(binaries.CONTAINERD))
    return Provisions(programs, images.archive())
