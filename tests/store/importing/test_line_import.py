"""Importing inputs whose records are lines: whole, cut off, bad, too long, by several processes."""

import gzip
import os
import shutil

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.audit.counter import TOO_LONG
from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON
from apisnoop.store import queries
from apisnoop.store.importing import importer as importer_module
from apisnoop.store.store import Store
from tests.calls.sample import line, log
from tests.store.contents import calls_in, contents
from tests.store.importing.inputs import AT_ONCE, run


def test_a_last_line_without_an_end_counts_when_it_is_whole(store, write):
    """Half a line waits; when the rest has come it is counted, once."""
    text = log(range(3))
    outcome = run(store, write(text + line(3)[:-40]))
    assert outcome.calls == 3
    assert outcome.problem.startswith("it ends in the middle of line 4 (")
    assert run(store, write(text + line(3)[:-40])).calls == 0
    assert queries.losses(store.connection) == []
    assert [row.problem for row in queries.imports(store.connection)] == [outcome.problem]
    assert run(store, write(text + line(3)[:-1])).calls == 1
    assert [row.problem for row in queries.imports(store.connection)] == [""]
    assert run(store, write(text + line(3) + line(4))).calls == 1
    assert calls_in(store) == 5


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_is_cut_off_keeps_what_it_had(store, write, compress):
    """What can be unfolded is counted, the rest when the whole file is there."""
    text = b"".join(line(number, annotations={"noise": os.urandom(500).hex()}) for number in range(400))
    whole = compress(text)
    outcome = run(store, write(whole[: len(whole) // 2]))
    assert 50 < outcome.calls < 350
    assert "data is cut off" in outcome.problem
    assert run(store, write(whole)).calls == 400 - outcome.calls
    assert calls_in(store) == 400


def test_bad_lines_are_kept_as_examples(store, write):
    """Their number, the first one's place in the file and its form are in the store; its contents are not."""
    text = log(range(5000)) + b"secret hunter2\n" + log(range(5000, 5010)) + b"{}\n" + b"more hunter2\n" + log([5010])
    outcome = run(store, write(text), pace=AT_ONCE)
    assert (outcome.calls, outcome.bad) == (5011, {NOT_JSON: 2, NOT_AUDIT: 1})
    losses = {row.reason: row for row in queries.losses(store.connection)}
    assert losses[NOT_JSON].count == 2
    assert losses[NOT_JSON].example == "line 5001, 14 bytes: xxxxxx xxxxxx0"
    assert losses[NOT_AUDIT].example.startswith("line 5012, 2 bytes: ")
    assert losses[NOT_JSON].source.endswith("audit.log")


def test_several_processes_count_the_same(store, write, tmp_path, monkeypatch):
    """Calls, line numbers, unfinished requests and positions are what one process gives."""
    monkeypatch.setattr(importer_module, "WORTH_WORKERS", 0)
    monkeypatch.setattr("apisnoop.store.importing.line_import.PIECE", 20_000)
    monkeypatch.setattr("apisnoop.store.importing.line_import.SENT", 20_000)
    requests = b"".join(line(n, stage="RequestReceived") + (line(n) if n % 10 else b"") for n in range(1000))
    text = requests + b"garbage\n" + log(range(2000, 2500)) + line(3000)[:-1]
    path = write(text)
    with Store.open(tmp_path / "one.db") as one:
        first = run(one, path, jobs=1)
        for name in (path, write(gzip.compress(text), "a.gz")):
            with Store.open(":memory:") as several:
                second = run(several, name, jobs=3, pace=AT_ONCE)
                assert (second.lines, second.calls, second.bad) == (first.lines, first.calls, first.bad)
                assert second.examples == first.examples
                ours, theirs = contents(one), contents(several)
                for what in ("tallies", "names", "unfinished"):
                    assert ours[what] == theirs[what]
                assert run(several, path, jobs=3).calls == 0
    assert sum(row.count for row in queries.unfinished(store.connection)) == 0


def test_a_line_of_20_megabytes_is_read(store, write):
    """RequestResponse logs may hold large objects."""
    big = line(1, requestObject={"data": {"key": "x" * 20_000_000}})
    outcome = run(store, write(line(0) + big + line(2)))
    assert (outcome.calls, outcome.bad) == (3, {})


def test_a_line_too_long_is_skipped(store, write, monkeypatch):
    """It is told with its number, and does not keep the rest from being counted or known again."""
    monkeypatch.setattr("apisnoop.store.importing.line_import.BLOCK", 4096)
    monkeypatch.setattr("apisnoop.calls.inputs.lines.LineBlocks.__init__.__kwdefaults__", {"longest": 9000})
    text = log(range(10)) + b"x" * 50_000 + b"\n" + log(range(10, 20))
    outcome = run(store, write(text))
    assert (outcome.calls, outcome.lines, outcome.bad) == (20, 21, {TOO_LONG: 1})
    assert outcome.examples[TOO_LONG].startswith("line 11, 50001 bytes")
    assert run(store, write(gzip.compress(text + log([20])), "a.gz")).calls == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 999).map(line),
            st.integers(0, 999).map(lambda n: line(n, stage="RequestReceived") + line(n)),
            st.integers(1000, 1999).map(lambda n: line(n, stage="RequestReceived")),
            st.binary(max_size=80).map(lambda noise: noise.replace(b"\n", b"") + b"\n"),
            st.just(b"\n"),
        ),
        max_size=30,
    ),
    st.lists(st.integers(0, 20_000), max_size=4),
)
def test_a_file_that_grows_in_any_steps_counts_the_same(tmp_path_factory, lines, cuts):
    """However a log is cut while it grows, in the end it is counted as if it had been there whole."""
    folder = tmp_path_factory.mktemp("grow")
    text = line(5000) + b"".join(lines)
    whole, growing = folder / "whole.log", folder / "growing.log"
    whole.write_bytes(text)
    with Store.open(":memory:") as at_once, Store.open(":memory:") as in_steps:
        run(at_once, str(whole), format="audit")
        for cut in [*sorted(cuts), len(text)]:
            growing.write_bytes(text[:cut])
            run(in_steps, str(growing), format="audit")
        ours, theirs = contents(at_once), contents(in_steps)
        for what in ("tallies", "names", "unfinished"):
            assert ours[what] == theirs[what]
        assert [row[5] for row in ours["imports"]] == [row[5] for row in theirs["imports"]]
    shutil.rmtree(folder)
