"""Reading through compression."""

import gzip
import io
import os
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.inputs.compression import Decompressed, compression_of, unread_compression_of

COMPRESS = {"gzip": gzip.compress, "zstd": zstandard.compress}
TEXT = b"".join(b"line %d of a log that compresses well\n" % number for number in range(20_000))


def unfolded(data: bytes, kind: str, size: int = 100_000) -> tuple[bytes, str]:
    """Everything that a compressed input gives, and its problem."""
    made = Decompressed(io.BytesIO(data).read, kind)
    parts = list(iter(lambda: made.read(size), b""))
    assert all(len(part) == size for part in parts[:-1])
    return b"".join(parts), made.problem


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_compressed_input_is_read_whole(kind):
    """What comes out is what went in, and nothing was wrong."""
    data = COMPRESS[kind](TEXT)
    assert compression_of(data) == kind
    assert unfolded(data, kind) == (TEXT, "")


@pytest.mark.parametrize("kind", COMPRESS)
def test_members_one_after_another_are_one_input(kind):
    """Exports are often files put end to end; empty ones and padding between them do not matter."""
    data = COMPRESS[kind](b"one\n") + COMPRESS[kind](b"") + COMPRESS[kind](b"two\n") + b"\0" * 512
    assert unfolded(data, kind) == (b"one\ntwo\n", "")


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_cut_off_input_gives_what_it_has(kind, share):
    """The beginning is there, and the problem says that the end is not."""
    noise = os.urandom(400_000).hex().encode()
    data = COMPRESS[kind](noise)
    text, problem = unfolded(data[: int(len(data) * share)], kind)
    assert noise.startswith(text)
    assert len(text) > (share - 0.4) * len(noise)
    assert problem == f"its {kind} data is cut off"


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_damaged_input_gives_what_comes_before(kind):
    """Bytes that are wrong end the reading, with a sentence instead of an exception."""
    data = bytearray(COMPRESS[kind](os.urandom(200_000)) + COMPRESS[kind](b"never reached"))
    data[-60:-30] = bytes(30)
    data += b"garbage"
    assert "damaged" in unfolded(bytes(data), kind)[1]


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_does_not_fill_the_memory(kind):
    """A hundred megabytes of zeros in a few kilobytes come out piece by piece."""
    data = COMPRESS[kind](bytes(100_000_000))
    tracemalloc.start()
    made = Decompressed(io.BytesIO(data).read, kind)
    for _ in range(100):
        assert len(made.read(100_000)) == 100_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def test_a_zstd_window_beyond_the_limit_is_refused():
    """A frame that wants gigabytes of memory is a problem of the input."""
    options = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=options).compressobj()
    data = compressor.compress(os.urandom(1000)) + compressor.flush()
    text, problem = unfolded(data, "zstd")
    assert text == b""
    assert problem.startswith("its zstd data is damaged (")


def test_other_compressions_are_known_by_name():
    """They are not read, but the user is told what it is."""
    assert unread_compression_of(b"\xfd7zXZ\x00\x00") == "xz"
    assert unread_compression_of(b"BZh91AY") == "bzip2"
    assert unread_compression_of(b"{}") == compression_of(b"{}") == ""


@given(st.binary(max_size=300), st.sampled_from(sorted(COMPRESS)), st.integers(1, 20))
def test_no_bytes_raise(noise, kind, size):
    """Whatever follows the magic bytes, reading ends."""
    magic = {"gzip": b"\x1f\x8b\x08\x00", "zstd": b"\x28\xb5\x2f\xfd"}[kind]
    made = Decompressed(io.BytesIO(magic + noise).read, kind)
    assert all(len(part) <= size for part in iter(lambda: made.read(size), b""))
