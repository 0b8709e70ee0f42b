"""What the images in an archive are called; containerd's own `ctr` does not always say it."""

from __future__ import annotations

import json
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAME = "io.containerd.image.name"
"""Annotation of an OCI archive's index under which containerd looks for an image's name."""
OWN = "localhost/"
"""Where buildah keeps an image whose name says nothing else."""
_NO_ARCHIVE = (tarfile.TarError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError)


def names_in(path: Path) -> list[str]:
    """Name the images in a docker-archive or OCI archive as pods do; an archive may name none.

    Raises RuntimeError if it is neither, OSError where there is no such file.
    """
    try:
        with tarfile.open(path) as archive:
            found = [name.removeprefix("docker.io/").removeprefix("library/") for name in _full_names(archive)]
    except _NO_ARCHIVE as error:
        raise RuntimeError(f"cannot import {path}: it is no docker-archive or OCI archive") from error
    # buildah writes its own name for an image beside the one it was asked for.
    return [name for name in dict.fromkeys(found) if not name.startswith(OWN) or name.removeprefix(OWN) not in found]


def _full_names(archive: tarfile.TarFile) -> list[str]:
    if "manifest.json" in archive.getnames():
        return [name for image in _json(archive, "manifest.json") for name in image["RepoTags"] or ()]
    notes = [image.get("annotations", {}) for image in _json(archive, "index.json")["manifests"]]
    return [note[NAME] for note in notes if NAME in note]


def _json(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    return json.loads(member.read() if member else b"")
