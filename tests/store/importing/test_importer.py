"""Importing inputs: each is recognised, known again, and counted once."""

import gzip
import multiprocessing
import os
from types import SimpleNamespace

import pytest
import zstandard

from apisnoop.calls.inputs import source as source_module
from apisnoop.calls.inputs.errors import InputError
from apisnoop.store import queries
from apisnoop.store.importing.importer import UnknownFormatError
from apisnoop.store.importing.session import EMPTY
from tests.calls.sample import log
from tests.store.contents import calls_in
from tests.store.importing.inputs import har, run


def test_a_log_is_counted(store, write):
    """Every event is a call in the store, and the import says where it came from."""
    outcome = run(store, write(log(range(100))))
    assert (outcome.lines, outcome.calls, outcome.bad, outcome.problem, outcome.known) == (100, 100, {}, "", False)
    assert calls_in(store) == 100
    (row,) = queries.imports(store.connection)
    assert (row.format, row.lines, row.calls, row.problem) == ("audit", 100, 100, "")
    assert [used.release for used in queries.catalogues_used(store.connection)] == ["1.36"]


def test_an_input_without_calls_leaves_no_catalogue(store, write):
    """Nothing was matched against it, and reports go by what calls were matched against."""
    outcome = run(store, write(b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"None"}\n' + b'{"x":1}\n' * 9))
    assert (outcome.calls, sum(outcome.bad.values())) == (0, 10)
    assert len(queries.imports(store.connection)) == 1
    assert queries.catalogues_used(store.connection) == []


def test_the_same_file_counts_once(store, write, tmp_path):
    """Again, under another name, as a copy, compressed, or from a new process: nothing is counted twice."""
    text = log(range(100))
    names = [
        write(text),
        write(text),
        write(text, "audit-2026.log"),
        write(gzip.compress(text), "audit.log.gz"),
        write(zstandard.compress(text), "audit.log.zst"),
        write(text[: len(text) // 2], "first-half.log"),
    ]
    outcomes = [run(store, name) for name in names]
    assert [outcome.calls for outcome in outcomes] == [100, 0, 0, 0, 0, 0]
    assert [outcome.known for outcome in outcomes] == [False] + [True] * 5
    assert calls_in(store) == 100
    assert len(queries.imports(store.connection)) == 1


@pytest.mark.parametrize("first", [1, 3, 60])
def test_a_grown_file_counts_what_is_new(store, write, first):
    """Short beginnings are known again too, though only a part of the fingerprint was there."""
    run(store, write(log(range(first))))
    outcome = run(store, write(log(range(100))))
    assert (outcome.calls, outcome.known) == (100 - first, True)
    assert run(store, write(gzip.compress(log(range(120))), "x.gz")).calls == 20
    assert calls_in(store) == 120


def test_rotated_logs_of_one_server_count_each(store, write):
    """Files that hold different events are different, however alike they look."""
    for part in range(4):
        assert run(store, write(log(range(part * 50, part * 50 + 50)), f"audit-{part}.log")).calls == 50
    assert calls_in(store) == 200


def test_files_that_begin_alike_and_go_on_differently_count_each(store, write):
    """A bookmark is trusted only if what lies before its position is what was read then."""
    common = log(range(30))
    run(store, write(common + log(range(100, 200)), "a.log"))
    assert run(store, write(common + log(range(300, 500)), "b.log")).calls == 230
    assert run(store, write(gzip.compress(common + log(range(600, 800))), "c.gz")).calls == 230
    for name in ("a.log", "b.log", "c.gz"):
        assert run(store, os.fspath(store.path).replace("apisnoop.db", name)).calls == 0


def test_an_empty_input_is_told(store, write):
    """It is no failure: a log may have been rotated just now."""
    assert run(store, write(b"")).problem == EMPTY
    assert run(store, write(gzip.compress(b""), "e.gz")).problem == EMPTY
    assert queries.imports(store.connection) == []


@pytest.mark.parametrize("noise", [b"\x00" * 5000, bytes(range(256)) * 40, b"hello\n" * 100, b"\x7fELF\x02\x01\x01"])
def test_what_is_no_recording_is_told(store, write, noise, monkeypatch):
    """Binary and other text leave no trace in the store."""
    monkeypatch.setattr("apisnoop.calls.reader.entry_points", lambda **_: ())
    with pytest.raises(UnknownFormatError, match=r"is no recording that can be read \(Kubernetes audit log, HAR\):"):
        run(store, write(noise))
    assert queries.imports(store.connection) == []


def test_another_compression_is_named(store, write):
    """The next step is to decompress it."""
    with pytest.raises(UnknownFormatError, match="is compressed with xz: decompress it"):
        run(store, write(b"\xfd7zXZ\x00" + os.urandom(500)))


def test_a_reader_that_is_not_installed_is_named(store, write, monkeypatch):
    """The message says what would read it."""

    def load():
        raise ImportError

    points = [SimpleNamespace(name="mitmproxy-flow", load=load)]
    monkeypatch.setattr("apisnoop.calls.reader.entry_points", lambda *, group, name="": points if group else name)
    with pytest.raises(UnknownFormatError, match=r"mitmproxy-flow would need `pip install 'apisnoop\[proxy\]'`"):
        run(store, write(b"5:hello,"))


def test_ids_make_overlapping_sources_count_once(store, write):
    """Two collectors may have shipped the same events; across kinds of input and imports each id counts once."""
    first = run(store, write(log(range(100)), "a"), dedupe_ids=True)
    second = run(store, write(log(range(50, 150)), "b"), dedupe_ids=True, jobs=4)
    third = run(store, write(log([*range(140, 160), 155, 156]), "c"), dedupe_ids=True)
    assert [first.calls, second.calls, third.calls] == [100, 50, 10]
    assert run(store, write(har(1, 2, 2), "h"), dedupe_ids=True).calls == 2
    assert run(store, write(log(range(200, 210), auditID=""), "d"), dedupe_ids=True).calls == 10


def test_standard_input_is_read(store, write, tmp_path, monkeypatch):
    """A pipe is known again by its contents; it cannot be gone back to where it differs behind a known beginning."""

    def standard_input(data):
        pipe = tmp_path / "pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
        feeder = multiprocessing.get_context("fork").Process(target=lambda: pipe.write_bytes(data))
        feeder.start()
        monkeypatch.setattr(source_module, "Path", lambda _: pipe)
        return feeder

    for data, calls in ((log(range(50)), 50), (log(range(70)), 20), (gzip.compress(log(range(70))), 0)):
        feeder = standard_input(data)
        assert run(store, "-").calls == calls
        feeder.join()
    feeder = standard_input(log(range(40)) + log(range(200, 260)))
    with pytest.raises(InputError, match="standard input begins like an input imported before and goes on differently"):
        run(store, "-")
    feeder.join()
    assert calls_in(store) == 70
