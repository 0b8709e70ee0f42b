"""Opening inputs."""

import gzip
import os
import threading

import pytest

from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.source import HEAD, SHORTEST_HEAD, Source, files_in


@pytest.fixture
def write(tmp_path):
    def write(name, data, age=0):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_780_000_000 - age, 1_780_000_000 - age))
        return str(path)

    return write


def test_the_beginning_can_be_looked_at(write):
    """Looking takes nothing away, also from a compressed input."""
    text = bytes(range(256)) * 1000
    for name, data in {"a": text, "b.gz": gzip.compress(text)}.items():
        with Source.open(write(name, data)) as source:
            assert source.head() == text[:HEAD]
            assert source.head(10) == text[:10]
            assert source.read(5) == text[:5]
            assert source.read() == text[5:]
            assert source.read(5) == b""
            assert source.consumed == source.size == len(data)


def test_a_long_first_line_is_looked_at_whole(write):
    """An event with a large body may be longer than the usual beginning."""
    with Source.open(write("a", b"x" * 200_000 + b"\n" + b"y" * 10_000_000)) as source:
        assert b"\n" in source.head_with_line()


def test_a_plain_file_can_be_gone_through_at_will(write):
    """Compressed files and pipes cannot."""
    with Source.open(write("a", b"0123456789")) as source:
        source.head()
        source.seek(7)
        assert (source.is_regular, source.read()) == (True, b"789")
    with Source.open(write("b", gzip.compress(b"x"))) as source:
        assert not source.is_regular


def test_a_reader_gets_a_buffered_stream(write):
    """Readers that read a few bytes at a time are served as by a file."""
    with Source.open(write("b.gz", gzip.compress(b"3:abc,4:defg,"))) as source:
        source.head()
        stream = source.stream()
        assert (stream.read(2), stream.peek(1)[:1], stream.read(3), stream.read()) == (b"3:", b"a", b"abc", b",4:defg,")


def test_a_pipe_that_pauses_is_looked_at_as_far_as_it_goes(tmp_path):
    """The beginning of a slow stream is not waited for until 64 KiB are there."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    text = b"x" * SHORTEST_HEAD + b"\n"
    looked = threading.Event()

    def feed():
        with path.open("wb", buffering=0) as pipe:
            pipe.write(text)
            assert looked.wait(30)
            pipe.write(b"later")

    feeder = threading.Thread(target=feed)
    feeder.start()
    with Source.open(str(path)) as source:
        head = source.head_with_line()
        looked.set()
        assert head == text
        assert (source.size, source.is_regular) == (None, False)
        assert source.read() == text + b"later"
    feeder.join()


@pytest.mark.parametrize(("name", "words"), [("missing", "No such file"), (".", "it is a folder")])
def test_what_cannot_be_opened_is_told(tmp_path, monkeypatch, name, words):
    """The message names the input, the reason and what to check."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"input {name} cannot be read: {words}.*; check"):
        Source.open(name)


def test_a_folder_is_its_files_oldest_first(write, tmp_path):
    """Rotated logs come before the one being written; hidden files and what hidden folders hold are left out."""
    expected = [
        write("logs/audit.log.2", b"", age=20),
        write("logs/audit.log.1", b"", age=10),
        write("logs/audit.log", b""),
    ]
    write("logs/.hidden", b"")
    write("logs/.git/x", b"")
    assert list(files_in(str(tmp_path / "logs"))) == [(name, True) for name in expected]


def test_files_and_standard_input_are_themselves(write):
    """Only a folder stands for something else."""
    name = write("a", b"")
    assert [*files_in(name), *files_in("-"), *files_in("missing")] == [(name, False), ("-", False), ("missing", False)]


def test_an_empty_folder_is_told(tmp_path):
    """Nothing to import is not the same as all done."""
    with pytest.raises(InputError, match="holds no file"):
        list(files_in(str(tmp_path)))
