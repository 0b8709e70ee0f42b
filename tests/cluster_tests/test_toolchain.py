"""Finding a Go compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster import cache, toolchain

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.26.6", (1, 26, 6)), ("1.27rc1", (1, 27)), ("1.26.8 X:nocoverageredesign", (1, 26, 8)), ("", ())],
)
def test_versions_are_read_as_numbers(text: str, version: tuple[int, ...]) -> None:
    """1.9 is older than 1.10, so versions are compared number by number."""
    assert toolchain.parse_version(text) == version


@pytest.fixture
def go_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` on PATH that says it is 1.25.4, and a cache whose compiler needs no network."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go1.25.4\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(cache, "entry", lambda *_: tmp_path / "pinned")
    return go


def test_a_go_that_is_new_enough_is_used(go_on_path: Path) -> None:
    """Nothing is fetched where there is a compiler."""
    assert toolchain.find_go((1, 25)) == go_on_path


def test_a_go_that_is_too_old_is_not_used(go_on_path: Path) -> None:
    """The pinned compiler is used instead, and the machine's stays as it is."""
    assert toolchain.find_go((1, 26)) == go_on_path.parent / "pinned" / "go" / "bin" / "go"


def test_without_any_go_the_pinned_one_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh machine needs no compiler of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cache, "entry", lambda *_: tmp_path)
    assert toolchain.find_go((1, 26)) == tmp_path / "go" / "bin" / "go"
