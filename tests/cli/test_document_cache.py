"""The cache of clusters' OpenAPI documents."""

import os
from pathlib import Path

import pytest

from apisnoop.cli import document_cache
from apisnoop.cli.document_cache import DocumentCache
from apisnoop.operations.document import Document, OperationObject, Problem, make_operation

DOCUMENT = Document(
    "3.0.0", "1.36", (make_operation("GET", "/api/v1/pods", OperationObject(id="a")),), (Problem("/b", "is odd"),)
)


def test_a_document_comes_back_as_it_was(tmp_path: Path) -> None:
    """Operations, problems and all, from another process too."""
    DocumentCache(tmp_path / "deep" / "down").put("key", DOCUMENT)
    assert DocumentCache(tmp_path / "deep" / "down").get("key") == DOCUMENT
    assert DocumentCache(tmp_path / "deep" / "down").get("other") is None


def test_a_damaged_entry_does_not_count(tmp_path: Path) -> None:
    """A full disk, or another form of entry, costs a fetch and nothing else."""
    cache = DocumentCache(tmp_path)
    cache.put("key", DOCUMENT)
    (entry,) = tmp_path.iterdir()
    for content in (b"", b"{}", entry.read_bytes()[:-10], b"\x00"):
        entry.write_bytes(content)
        assert cache.get("key") is None


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    """Nothing is kept then."""
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    cache = DocumentCache(occupied)
    cache.put("key", DOCUMENT)
    cache.prune()
    assert cache.get("key") is None
    assert occupied.read_text() == "in the way"


def test_the_least_recently_used_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is bounded; reading an entry is using it."""
    monkeypatch.setattr(document_cache, "KEPT", 2)
    cache = DocumentCache(tmp_path)
    for age, key in enumerate("abc"):
        cache.put(key, DOCUMENT)
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (1000 - age, 1000 - age))
    assert cache.get("c") is not None
    cache.prune()
    assert [cache.get(key) is not None for key in "abc"] == [True, False, True]


@pytest.mark.parametrize(
    ("value", "folder"), [("/var/xdg", "/var/xdg"), ("relative", "/home/me/.cache"), ("", "/home/me/.cache")]
)
def test_the_users_cache_folder_is_used(monkeypatch: pytest.MonkeyPatch, value: str, folder: str) -> None:
    """As the XDG specification says: a relative value does not count."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", "/home/me")
    assert document_cache._cache_folder() == Path(folder) / "apisnoop" / "openapi-1"
