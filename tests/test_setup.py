"""scripts/setup: the development environment holds what the lock says, whatever it held before."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "setup"

# A project that needs no build backend from anywhere.
PROJECT = """
[project]
name = "apisnoop"
version = "1"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

BACKEND = """
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "apisnoop-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as out:
        out.writestr("apisnoop-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: apisnoop\\nVersion: 1\\n")
        out.writestr("apisnoop-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr("apisnoop-1.dist-info/RECORD", "")
    return name
"""


class Checkout:
    """A project with the script, and packages of its own instead of a registry's."""

    def __init__(self, root: Path, packages: Path) -> None:
        self.root, self._packages = root, packages
        self.site = root / ".venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        for directory in (packages, root / "scripts", root / "requirements"):
            directory.mkdir(parents=True)
        shutil.copy(SCRIPT, root / "scripts")
        (root / "pyproject.toml").write_text(PROJECT)
        (root / "backend.py").write_text(BACKEND)

    def lock(self, **versions: str) -> None:
        """Pin packages, each a module that holds its version."""
        pins = [
            f"{name}=={version} \\\n    --hash=sha256:{self._make(name, version)}\n"
            for name, version in versions.items()
        ]
        (self.root / "requirements" / "dev.txt").write_text("".join(pins))

    def set_up(self) -> str:
        """Run the script and return what it says."""
        links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._packages)}
        python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        result = subprocess.run(
            [self.root / "scripts" / "setup"],
            env={**os.environ, **links, "PATH": python},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        return result.stderr

    def installed(self) -> dict[str, str]:
        """Return the environment's packages, pip aside, and their versions."""
        listing = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
        words = subprocess.run(
            [self.root / ".venv/bin/python", "-I", "-c", listing], capture_output=True, text=True, check=True
        ).stdout.split()
        return {name: version for name, _, version in (word.partition("==") for word in words) if name != "pip"}

    def _make(self, name: str, version: str) -> str:
        """Write a wheel and return its digest."""
        about = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"VERSION = {version!r}\n",
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        digests = {place: hashlib.sha256(text.encode()).digest() for place, text in files.items()}
        record = [f"{place},sha256={base64.urlsafe_b64encode(digests[place]).decode()},\n" for place in files]
        path = self._packages / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for place, text in {**files, f"{about}/RECORD": "".join([*record, f"{about}/RECORD,,\n"])}.items():
                wheel.writestr(zipfile.ZipInfo(place), text)
        return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which the script has not run yet."""
    return Checkout(tmp_path / "a project", tmp_path / "packages")


def test_a_changed_lock_is_followed_without_touching_what_is_right_already(checkout: Checkout) -> None:
    """Programs that run from the environment keep their packages; it ends with exactly the pinned set."""
    checkout.lock(stays="1", changes="1", goes="1")
    assert "making .venv" in checkout.set_up()
    assert checkout.installed() == {"apisnoop": "1", "stays": "1", "changes": "1", "goes": "1"}
    kept = [checkout.site / "stays.py", checkout.site / "apisnoop-1.dist-info" / "METADATA"]
    before = [path.stat().st_ino for path in kept]
    checkout.lock(stays="1", changes="2", comes="1")
    assert checkout.set_up() == "setup: bringing .venv up to date\n"
    assert checkout.installed() == {"apisnoop": "1", "stays": "1", "changes": "2", "comes": "1"}
    assert [path.stat().st_ino for path in kept] == before
    assert checkout.set_up() == "", "the second run has nothing to do"


def test_an_environment_made_elsewhere_is_made_anew(checkout: Checkout) -> None:
    """Its programs name the Python of the place it was made for."""
    checkout.lock(stays="1")
    checkout.set_up()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert "making .venv" in checkout.set_up()
    assert checkout.installed() == {"apisnoop": "1", "stays": "1"}
