"""Masking what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.masking import SHOWN, SHOWN_WORDS, shape_of


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        (b'{"kind":"Event","apiVersion":"audit.k8s.io/v1"', '{"kind":"xxxxx","apiVersion":"audit.k8s.io/v1"'),
        (b"password=hunter2", "xxxxxxxx=xxxxxx0"),
        (b'{"a":1}', '{"x":0}'),  # as docs/formats.md shows it
        ("schlüssel ключ".encode(), "xxxxxxxxxx xxxxxxxx"),
        (b"\x00\x1b[31m", "??[00x"),
    ],
)
def test_a_bad_record_is_shown_masked(record, shape):
    """Its form can be seen, its contents cannot: it may be the middle of a Secret."""
    assert shape_of(record) == shape


@given(st.binary(max_size=200))
def test_nothing_else_is_ever_shown(record):
    """Letters and digits of the result are masks, or words that every event has; and it is short and printable."""
    shape = shape_of(record)
    for word in SHOWN_WORDS:
        shape = shape.replace(word, "")
    assert not any(character.isalnum() and character not in "x0" for character in shape)
    assert len(shape_of(record)) <= SHOWN
    assert shape.isprintable()
