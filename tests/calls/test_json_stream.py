"""Cutting JSON into records."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.json_stream import JsonStream

SIZES = (1, 2, 3, 7, 50, 1_000_000)


def cut(text: bytes, size: int, **options) -> tuple[list[bytes], bool]:
    """All records of a text that comes in chunks of one size, and whether it ends inside of one."""
    stream = JsonStream(**options)
    records = [record for start in range(0, len(text), size) for record in stream.feed(text[start : start + size])]
    return records, stream.is_cut_off


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("text", "records"),
    [
        (rb'{"a":{"x":"}]\""}}' + b'\n{"b":[1,2]}{"c":1}', [rb'{"a":{"x":"}]\""}}', b'{"b":[1,2]}', b'{"c":1}']),
        (b'[{"a":1}, {"items":[{"b":2}]}]', [b'{"a":1}', b'{"items":[{"b":2}]}']),
        (b'{"kind":"EventList", "items" : [{"a":[{}]},{"b":"["}],"z":{"items":[{}]}}', [b'{"a":[{}]}', b'{"b":"["}']),
        (b'{"records":[{"a":1}]}{"records":[{"b":1}]}', [b'{"a":1}', b'{"b":1}']),
        (b'{"logEvents":[{"a":1}]}', [b'{"a":1}']),
        (b'{"events":[{"a":1}],"nextToken":"x"}', [b'{"a":1}']),
        (b'{"log":{"version":"1.2","pages":[{"x":1}],"entries":[{"r":{"entries":[1]}}]}}', [b'{"r":{"entries":[1]}}']),
        (b'{"kind":"Event","responseObject":{"items":[{"x":1}]}}', None),
        (b'{"spec":{"entries":[{"x":1}]}}', None),
        (b'{"items":[]}', []),
        (b"", []),
        (b" \n\t", []),
        (b'[]\n123\n"x"\n{"a":1}\ntrue\n', [b"123", b'"x"', b'{"a":1}', b"true"]),
        (b'[{"a":1}, 7, "[", null , {"b":2}]', [b'{"a":1}', b"7", b'"["', b"null", b'{"b":2}']),
        (b'{"kind":"List","items":[1,{"b":2}],"more":3}', [b"1", b'{"b":2}']),
        (b'\xef\xbb\xbf{"a":1}\x1e{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1} {"b":2}garbage{"c":3}', [b'{"a":1}', b'{"b":2}', b"garbage", b'{"c":3}']),
    ],
)  # fmt: skip
def test_records_are_found(text, records, size):
    """Concatenated values, lists, and lists inside the known envelopes are cut, in chunks of any size.

    A list of the same name deeper inside a record does not count (None: the whole text is the record).
    """
    assert cut(text, size) == ([text] if records is None else records, False)


@pytest.mark.parametrize("size", SIZES)
def test_a_record_that_is_too_long_is_empty(size):
    """Its place is kept, so that positions stay the same, and the records around it are found."""
    long = [rb'{"a":"' + rb"x\"" * 50 + b'"}', b'{"c":"' + b"y" * 90 + b'"}', b"[" + b"{}," * 50 + b"{}]"]
    text = b'{"b":1}'.join(long) + b' {"d":2}'
    assert cut(text, size, longest=20, containers=False) == ([b"", b'{"b":1}', b"", b'{"b":1}', b"", b'{"d":2}'], False)


@pytest.mark.parametrize("size", SIZES)
def test_a_value_without_brackets_that_is_too_long_is_empty(size):
    """It is one record, however it comes, and what follows is found."""
    text = b"[]\n" + b"7" * 50 + b'{"a":1}' + b'"' + b"x" * 50 + b'" ' + b"8" * 50 + b"\n9\n"
    assert cut(text, size, longest=20) == ([b"", b'{"a":1}', b"", b"", b"9"], False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", [b'{"b', b"{", b'{"b":"x', b"[{}", b'{"items":[{"a":1}', b'{"items":[{"a":1},'])
def test_a_cut_off_end_is_told(end, size):
    """The records before it are there."""
    records, is_cut_off = cut(b'{"a":1}' + end, size)
    assert records[0] == b'{"a":1}'
    assert is_cut_off


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


@given(st.lists(objects), st.integers(1, 200), st.booleans(), st.booleans())
def test_any_list_is_cut_into_its_elements(made, size, is_pretty, is_ascii):
    """Pretty or not, in a list or concatenated, what is cut out decodes to what was put in."""
    text = json.dumps(made, indent=2 if is_pretty else None, ensure_ascii=is_ascii).encode()
    records, is_cut_off = cut(text, size)
    assert [json.loads(record) for record in records] == made
    assert not is_cut_off
    joined = b"\n".join(json.dumps(value).encode() for value in made)
    assert [json.loads(record) for record in cut(joined, size, containers=False)[0]] == made


@given(st.binary(max_size=300) | st.text(alphabet='{}[]":,a1\\ ').map(str.encode), st.integers(1, 50))
def test_chunks_do_not_matter(text, size):
    """Whatever the bytes, they are cut the same in one chunk and in many, and never raise."""
    assert cut(text, size) == cut(text, 1000)


@given(st.text(alphabet='{}[]":,a\\ ', max_size=80), st.integers(1, 10), st.integers(1, 20))
def test_chunks_do_not_matter_for_near_json(text, size, longest):
    """The same with text made of the characters that matter, and a low limit: no record is longer than it."""
    records, _ = cut(text.encode(), size, longest=longest)
    assert all(len(record) <= longest for record in records)
