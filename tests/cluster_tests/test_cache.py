"""The cache: whole entries, made once, found again."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

import pytest

from cluster import cache

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "apisnoop" / "cluster"


def write_process_id(directory: Path) -> None:
    (directory / "maker").write_text(str(os.getpid()))


def fail(directory: Path) -> None:
    (directory / "half").touch()
    raise RuntimeError("no compiler")


def make_entry(_: int) -> str:
    return (cache.entry("thing", [b"source"], write_process_id) / "maker").read_text()


def test_an_entry_is_made_once() -> None:
    """The second asker gets the first one's folder."""
    entry = cache.entry("thing", [b"source"], write_process_id)
    assert cache.entry("thing", [b"source"], fail) == entry


def test_other_sources_make_another_entry() -> None:
    """A changed source never finds what was made from the old one, nor do sources cut at another place."""
    entries = {cache.entry("thing", sources, write_process_id) for sources in ([b"ab"], [b"a", b"b"], [b"", b"ab"])}
    assert len(entries) == 3


def test_an_entry_that_could_not_be_made_leaves_nothing(own_cache: Path) -> None:
    """A half-made folder is not found by the next asker."""
    with pytest.raises(RuntimeError, match="no compiler"):
        cache.entry("thing", [b"source"], fail)
    assert [path for path in own_cache.iterdir() if path.is_dir()] == []


def test_processes_that_want_the_same_entry_make_it_once() -> None:
    """Whoever comes second waits for the first instead of building again."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        makers = pool.map(make_entry, range(4), chunksize=1)
    assert len(set(makers)) == 1
