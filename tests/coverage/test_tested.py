"""Reading which endpoints are tested."""

import gzip
import json

import pytest

from apisnoop.coverage.tested import read_tested
from apisnoop.errors import ApisnoopError

PUBLISHED = [
    {
        "endpoint": "listCoreV1Node",
        "tested_release": "1.9.0",
        "promotion_release": "1.9.0",
        "tests": [{"file": "a.go", "release": "1.9.0", "codename": "[sig-node] one", "testname": "One"}, None],
    },
    {"endpoint": "readCoreV1Node", "tests": None, "tested_release": None, "promotion_release": "1.5.0"},
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_published_shape_is_read_plain_or_compressed(tmp_path, pack):
    """Endpoints with the code names of their tests; one listed without tests is known to be untested."""
    file = tmp_path / "endpoints.json"
    file.write_bytes(pack(json.dumps(PUBLISHED).encode()))
    tested = read_tested(file)
    assert tested.tests == {"listCoreV1Node": {"[sig-node] one"}, "readCoreV1Node": set()}
    assert tested.source == "endpoints.json"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"tests": []}]',
        b"\x1f\x8bnot gzip",
        gzip.compress(b"[]")[:-4],
        b"\xff\xfe",
        b"[" * 99_999,
    ],
)
def test_any_other_file_is_refused_in_one_line(tmp_path, content):
    """The message names the file and the shape expected; there is no traceback."""
    file = tmp_path / "endpoints.json"
    file.write_bytes(content)
    with pytest.raises(ApisnoopError) as caught:
        read_tested(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """The user sees which file there is not and which option named it."""
    with pytest.raises(ApisnoopError, match=r"nowhere\.json cannot be read.*--tested"):
        read_tested(tmp_path / "nowhere.json")
