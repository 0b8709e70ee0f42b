"""Cutting a stream into blocks of lines."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.inputs.lines import TAIL, Block, LineBlocks


def blocks_of(text: bytes, block: int, longest: int = 1000) -> tuple[list[Block], LineBlocks]:
    """All blocks of a text that is read so many bytes at a time."""
    lines = LineBlocks(io.BytesIO(text).read, block=block, longest=longest)
    return list(lines), lines


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.integers(1, 100))
def test_every_line_is_in_one_block(lines, size):
    """Blocks put end to end are the text up to its last line feed, whole lines each; the rest is the rest."""
    text = b"\n".join(lines)
    blocks, reader = blocks_of(text, size)
    assert b"".join(block.data for block in blocks) + reader.rest == text
    assert all(block.data.endswith(b"\n") and block.size == len(block.data) for block in blocks)
    assert b"\n" not in reader.rest
    assert reader.rest_size == len(reader.rest)
    assert all(block.tail == block.data[-TAIL:] for block in blocks)


@given(st.integers(1, 60), st.integers(30, 200))
def test_a_line_too_long_is_skipped(size, length):
    """Its bytes are passed over and told, without being held, and the lines around it are read."""
    text = b"a\n" + b"x" * length + b"\nb\n"
    blocks, reader = blocks_of(text, size, longest=20)
    assert sum(block.size for block in blocks) == len(text)
    assert b"".join(block.data for block in blocks).replace(b"x" * length + b"\n", b"") == b"a\nb\n"
    assert reader.rest_size == 0


def test_a_skipped_line_still_has_a_tail():
    """The bytes before a position are what an input is known again by, also behind a line that was not read."""
    text = b"a\n" + b"x" * 50_000 + b"y\nb\n"
    blocks, _ = blocks_of(text, 1000, longest=2000)
    skipped = next(block for block in blocks if not block.data)
    assert skipped.tail == (b"x" * 50_000 + b"y\n")[-TAIL:]


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_a_rest_too_long_is_told_by_its_size(size):
    """A last line without an end may be too long as well."""
    _, reader = blocks_of(b"a\n" + b"x" * 5000, size, longest=100)
    assert reader.rest_size == 5000
    assert len(reader.rest) <= max(100, size)


def test_a_growing_stream_is_read_on():
    """A second pass gives what has been added, beginning with the line that had no end."""
    stream = io.BytesIO(b"a\nb")
    lines = LineBlocks(stream.read)
    assert [block.data for block in lines] == [b"a\n"]
    stream.write(b"c\nd\n")
    stream.seek(3)
    assert [block.data for block in lines] == [b"bc\nd\n"]
    assert lines.rest == b""
