"""What a node needs from the distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster import packages
from cluster.packages import Need

if TYPE_CHECKING:
    from pathlib import Path

SHELL = Need("sh", "dash")
NONSENSE = Need("no-such-program", "no-such-package")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lock file out of the real cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_nothing_is_installed_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual case costs a look at each program and no lock."""
    monkeypatch.setattr(packages, "NEEDS", (SHELL,))
    monkeypatch.setattr(packages, "_install", lambda _: pytest.fail("installed something"))
    packages.require()


def test_root_installs_only_the_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package manager is asked for what is missing; still missing afterwards is an error."""
    asked: list[list[str]] = []
    monkeypatch.setattr(packages, "NEEDS", (SHELL, NONSENSE))
    monkeypatch.setattr(packages, "_can_install", lambda: True)
    monkeypatch.setattr(packages, "_install", asked.append)
    with pytest.raises(RuntimeError, match=r"lacks: no-such-program \(Debian package no-such-package\)$"):
        packages.require()
    assert asked == [["no-such-package"]]


def test_an_ordinary_user_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the program and the Debian package that has it."""
    monkeypatch.setattr(packages, "NEEDS", (SHELL, NONSENSE))
    monkeypatch.setattr(packages, "_can_install", lambda: False)
    monkeypatch.setattr(packages, "_install", lambda _: pytest.fail("tried to install"))
    with pytest.raises(RuntimeError, match=r"lacks: no-such-program \(Debian package no-such-package\)$"):
        packages.require()
