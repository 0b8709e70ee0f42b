"""The project's own images for a cluster without a registry: built by scripts/build-image, on a base that is made here.

The base is Debian with its Python, bootstrapped from the machine's package mirror; a released image may be built on
another. Everything is kept in the cache, layers included, so that a changed wheel costs seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache
from .packages import Need, require

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).parent.parent.parent
SUITE = "trixie"
PACKAGES = ("ca-certificates", "python3-venv")
NEEDS = (Need("buildah", "buildah"), Need("debootstrap", "debootstrap"))

# What an image of the package manager's leftovers would only be larger for.
_LEFT_OUT = ("./dev/*", "./var/cache/apt/*.bin", "./var/cache/apt/archives/*", "./var/lib/apt/lists/*", "./var/log/*")


def build(directory: Path, name: str = "apisnoop", tag: str = "test") -> Path:
    """Build `apisnoop` or `apisnoop-proxy` from the working tree and return it as a docker-archive in `directory`.

    A pod's `image` is NAME:TAG; without a tag it is the version. Needs root, and the package registries when something
    is not in the cache: the first build of all takes about a minute.
    """
    require(NEEDS, "building images")
    environment = _environment()
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _build_wheel(Path(scratch))
        options = ["--base", _base(environment), "--archives", str(directory), "--wheel", str(wheel)]
        options += ["--tag", tag] if tag else []
        _run([PROJECT / "scripts" / "build-image", *options, name], environment)
    return directory / f"{name}.tar"


def _build_wheel(directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    _run(command, dict(os.environ), directory=PROJECT)
    (wheel,) = directory.glob("*.whl")
    return wheel


def _environment() -> dict[str, str]:
    """Let buildah work without namespaces, which a container has no right to, and keep its files to ourselves."""
    directory = cache.directory() / "containers"
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/root"\nrunroot = "{directory}/run"\n'
    )
    ours = {"CONTAINERS_STORAGE_CONF": str(configuration), "STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}
    return {**os.environ, **ours}


def _base(environment: dict[str, str]) -> str:
    """Return the name of the base image, made when buildah does not have it."""
    sources = [text.encode() for text in (SUITE, *PACKAGES, *_LEFT_OUT)]
    archive = cache.entry("debian", sources, _bootstrap) / "root.tar"
    name = f"localhost/apisnoop-base:{archive.parent.name.removeprefix('debian-')}"
    known = subprocess.run(
        ["buildah", "inspect", "--type", "image", name], env=environment, check=False, capture_output=True
    )
    if known.returncode:
        container = _run(["buildah", "from", "scratch"], environment).strip()
        try:
            _run(["buildah", "add", "--quiet", container, archive, "/"], environment)
            _run(["buildah", "commit", "--quiet", container, name], environment)
        finally:
            _run(["buildah", "rm", container], environment)
    return name


def _bootstrap(directory: Path) -> None:
    """Install a minimal Debian with Python into a folder and pack it as `root.tar`."""
    print(f"bootstrapping Debian {SUITE} for images (about half a minute the first time)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        root = Path(scratch) / "root"
        options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
        _run(["debootstrap", *options, SUITE, root, *_mirror()], dict(os.environ))
        left_out = [f"--exclude={pattern}" for pattern in _LEFT_OUT]
        _run(
            ["tar", "--directory", root, *left_out, "--create", "--file", directory / "root.tar", "."], dict(os.environ)
        )


def _mirror() -> list[str]:
    """Return the mirror the machine's own packages come from; none on another system than Debian."""
    command = [
        "apt-get",
        "indextargets",
        "--format",
        "$(SITE)",
        "Created-By: Packages",
        "Origin: Debian",
        "Label: Debian",
    ]
    return sorted(set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))[:1]


def _run(command: Sequence[str | Path], environment: dict[str, str], directory: Path | None = None) -> str:
    """Run a command and return its standard output; raises RuntimeError with the end of what it said when it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(
        words, env=environment, cwd=directory, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
        raise RuntimeError(f"`{' '.join(words)}` failed with status {result.returncode}:\n{said}")
    return result.stdout
