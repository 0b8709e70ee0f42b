"""Types that several threads meet for the first time at once."""

import subprocess
import sys

import msgspec
import pytest

from apisnoop.decoding import convert, decoder_of

RACE = """
import sys, threading
import msgspec
from apisnoop.decoding import convert, decoder_of

sys.setswitchinterval(1e-6)
DATA = b'{"one": "x", "two": [["a", "b"]], "three": {"four": [{"five": "y"}]}}'

def decode(kind):
    assert decoder_of(kind).decode(DATA).three.four[0].five == "y"

def convert_it(kind):
    assert convert(msgspec.json.decode(DATA), kind).three.four[0].five == "y"

def race(work):
    inner = msgspec.defstruct("Inner", [("five", str, "")])
    middle = msgspec.defstruct("Middle", [("four", list[inner] | None, None)])
    outer = msgspec.defstruct("Outer", [("one", str, ""), ("two", list[tuple[str, str]], []), ("three", middle, None)])
    start = threading.Barrier(6)
    threads = [threading.Thread(target=lambda: (start.wait(), work(outer))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

for number in range(600):
    race((decode, convert_it)[number % 2])
"""


class Thing(msgspec.Struct):
    """One."""

    name: str
    size: int = 0


def test_many_threads_may_meet_a_type_at_once():
    """What msgspec itself does then ends the process with a segmentation fault."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_type_has_one_decoder():
    assert decoder_of(Thing) is decoder_of(Thing)
    assert decoder_of(Thing).decode(b'{"name": "a", "size": 1}') == Thing("a", 1)


def test_a_decoder_may_be_lenient():
    assert decoder_of(Thing, strict=False).decode(b'{"name": "a", "size": "1"}') == Thing("a", 1)
    with pytest.raises(msgspec.ValidationError):
        decoder_of(Thing).decode(b'{"name": "a", "size": "1"}')


def test_a_value_is_converted_or_refused():
    assert convert({"name": "a"}, Thing) == Thing("a")
    with pytest.raises(msgspec.ValidationError):
        convert({"name": 1}, Thing)


@pytest.mark.parametrize("method", ["decode", "decode_lines"])
@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"x":' * 100_000])
def test_what_is_nested_too_deeply_is_malformed(method, deep):
    """Also where it is skipped, as by a decoder that does not know the field."""
    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        getattr(decoder_of(Thing), method)(b'{"name": "a", "unknown": ' + deep)
