"""The catalogues inside the package: their file, and choosing among them."""

import msgspec
import pytest

from apisnoop.operations.document import OperationObject, make_operation
from apisnoop.operations.shipped import (
    SHIPPED_FILE,
    combine,
    decode_shipped,
    encode_shipped,
    nearest_release,
    release_key,
    shipped,
)


def test_the_file_is_what_the_code_writes() -> None:
    """Reading and writing it again changes no byte, so that a new release is a small difference."""
    content = SHIPPED_FILE.read_bytes()
    assert encode_shipped(decode_shipped(content)) == content


def test_the_file_holds_facts_only() -> None:
    """No word of the documents' texts: every text is an id, a path, a kind or an action."""
    for row in shipped().rows:
        assert all(" " not in value for value in msgspec.structs.astuple(row) if isinstance(value, str))


def test_releases_are_joined_and_come_apart_again() -> None:
    """An operation is kept once with the releases that have it; one whose facts changed is kept in each form."""
    same = make_operation("GET", "/a", OperationObject(id="same"))
    old = make_operation("GET", "/b", OperationObject(id="old"))
    changed = [
        make_operation("GET", "/c", OperationObject(id="c", deprecated=deprecated)) for deprecated in (False, True)
    ]
    joined = combine({"1.10": [same, changed[1]], "1.9": [same, old, changed[0]]})
    assert joined.releases == ["1.9", "1.10"]
    assert [(row.id, joined.releases_in(row.releases)) for row in joined.rows] == [
        ("same", ["1.9", "1.10"]),
        ("old", ["1.9"]),
        ("c", ["1.9"]),
        ("c", ["1.10"]),
    ]
    assert joined.operations("1.9") == [same, old, changed[0]]
    assert decode_shipped(encode_shipped(joined)) == joined


@pytest.mark.parametrize(
    ("version", "nearest"),
    [
        ("1.34", "1.34"),
        ("v1.34.7", "1.34"),
        ("1.33", "1.34"),
        ("1.35.0", "1.36"),
        ("1.99", "1.36"),
        ("1.8", "1.30"),
        ("1.29", "1.30"),
    ],
)
def test_the_nearest_release_is_found(version: str, nearest: str) -> None:
    """Of two equally near ones the newer, which knows more paths."""
    assert nearest_release(version) == nearest


def test_releases_sort_by_number() -> None:
    """1.9 comes before 1.10."""
    assert sorted(["1.10", "1.9", "v1.30.2"], key=release_key) == ["1.9", "1.10", "v1.30.2"]
