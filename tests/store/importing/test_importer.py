"""Importing inputs: once each, whatever happens on the way."""

import gzip
import json
import multiprocessing
import os
import shutil
import signal
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.audit.counter import TOO_LONG
from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON
from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.inputs import source as source_module
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.tally import Loss
from apisnoop.store import queries
from apisnoop.store.errors import StoreError
from apisnoop.store.importing import importer as importer_module
from apisnoop.store.importing.importer import Importer, Settings, UnknownFormatError
from apisnoop.store.importing.line_import import LineImport
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import EMPTY
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, event, line, log
from tests.store.contents import calls_in, contents

AT_ONCE = Pace(seconds=0.0)
"""Commits after every block."""


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "apisnoop.db") as opened:
        yield opened


@pytest.fixture
def write(tmp_path):
    def write(data, name="audit.log"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


def run(store, path, **settings):
    return Importer(store, CATALOGUE, Settings(**settings)).run(path)


def test_a_log_is_counted(store, write):
    """Every event is a call in the store, and the import says where it came from."""
    outcome = run(store, write(log(range(100))))
    assert (outcome.lines, outcome.calls, outcome.bad, outcome.problem, outcome.known) == (100, 100, {}, "", False)
    assert calls_in(store) == 100
    (row,) = queries.imports(store.connection)
    assert (row.format, row.lines, row.calls, row.problem) == ("audit", 100, 100, "")
    assert [used.release for used in queries.catalogues_used(store.connection)] == ["1.36"]


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


def pretty(*numbers):
    return json.dumps({"kind": "EventList", "items": [event(number) for number in numbers]}, indent=2).encode()


def har(*numbers):
    entries = [
        {
            "startedDateTime": f"2026-06-01T09:00:{number:02d}Z",
            "time": 3,
            "request": {"method": "GET", "url": f"https://k/api/v1/pods?n={number}", "headers": []},
            "response": {"status": 200, "headers": [{"name": "Audit-Id", "value": f"id-{number}"}]},
        }
        for number in numbers
    ]
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "t"}, "entries": entries}}, indent=1).encode()


@pytest.mark.parametrize(("make", "name"), [(pretty, "audit"), (har, "har")])
def test_documents_count_once_too(store, write, make, name):
    """JSON over several lines is read by records; again it adds nothing, grown only what is new."""
    assert run(store, write(make(*range(20))), pace=AT_ONCE).calls == 20
    assert [row.format for row in queries.imports(store.connection)] == [name]
    assert run(store, write(gzip.compress(make(*range(20))), "x.gz")).calls == 0
    assert run(store, write(make(*range(25)))).calls == 5
    assert run(store, write(make(*range(7)))).calls == 0
    assert run(store, write(make(*range(30, 32)), "short")).calls == 2
    assert run(store, write(make(*range(30, 36)), "short")).calls == 4
    changed = run(store, write(make(*range(5), *range(40, 60)), "other"))
    assert (changed.calls, changed.known) == (25, False)
    assert calls_in(store) == 56


def test_a_document_that_is_cut_off_keeps_what_it_had(store, write):
    """The records before the end are counted, and the rest once it is there."""
    text = pretty(*range(20))
    outcome = run(store, write(text[: len(text) // 2]))
    assert 5 < outcome.calls < 15
    assert outcome.problem == "it ends in the middle of a record"
    assert run(store, write(text)).calls == 20 - outcome.calls


def test_a_har_of_a_browser_leaves_out_other_sites(store, write):
    """What is not Kubernetes is counted as such, with the entry that was first."""
    text = har(*range(3)).replace(b"https://k/api/v1/pods?n=1", b"https://example.com/app.js")
    outcome = run(store, write(text))
    assert (outcome.calls, outcome.bad) == (2, {"not-kubernetes": 1})
    assert outcome.examples["not-kubernetes"].startswith("line 2, ")


class Numbers:
    """A reader of inputs that hold one digit a record; a dash is damage."""

    @staticmethod
    def recognises(head):
        return head[:1].isdigit()

    @staticmethod
    def read(stream, matcher):
        while digit := stream.read(1):
            if digit == b"-":
                raise ValueError("a dash stands where a digit should be")
            if digit == b"0":
                yield Loss("numbers", "zero")
                continue
            match = matcher.match("GET", f"/api/v1/namespaces/n{digit.decode()}/pods")
            yield Call(match, Caller(), "GET", "/", 200, started=float(ord(digit)), duration=0.0)


@pytest.fixture
def numbers(monkeypatch):
    point = SimpleNamespace(name="numbers", load=lambda: Numbers)
    monkeypatch.setattr(
        "apisnoop.calls.reader.entry_points",
        lambda *, group, name="numbers": [point] if group and name == "numbers" else [],
    )


def test_a_reader_of_a_component_is_used(store, write, numbers):
    """Its calls and losses are counted, once each, and damage ends it with its own words."""
    outcome = run(store, write(b"12030"))
    assert (outcome.format, outcome.lines, outcome.calls, outcome.bad) == ("numbers", 5, 3, {"zero": 2})
    outcome = run(store, write(b"1203045-9"))
    assert (outcome.lines, outcome.calls, outcome.problem) == (2, 2, "a dash stands where a digit should be")
    assert run(store, write(gzip.compress(b"1203045-9"), "n.gz")).lines == 0
    assert calls_in(store) == 5


def test_ids_make_overlapping_sources_count_once(store, write):
    """Two collectors may have shipped the same events; across kinds of input and imports each id counts once."""
    first = run(store, write(log(range(100)), "a"), dedupe_ids=True)
    second = run(store, write(log(range(50, 150)), "b"), dedupe_ids=True, jobs=4)
    third = run(store, write(log([*range(140, 160), 155, 156]), "c"), dedupe_ids=True)
    assert [first.calls, second.calls, third.calls] == [100, 50, 10]
    assert run(store, write(har(1, 2, 2), "h"), dedupe_ids=True).calls == 2
    assert run(store, write(log(range(200, 210), auditID=""), "d"), dedupe_ids=True).calls == 10


def test_unfinished_requests_end_in_another_file(store, write):
    """A watch that begins in one log and ends in the next is one call, and until then unfinished."""
    watch = {"verb": "watch", "requestURI": "/api/v1/pods?watch=true"}
    run(store, write(line(1, stage="ResponseStarted", **watch) + line(2, stage="RequestReceived"), "a"))
    assert calls_in(store) == 0
    assert [(row.verb, row.count) for row in queries.unfinished(store.connection)] == [("get", 1), ("watch", 1)]
    run(store, write(line(1, **watch), "b"))
    assert [(row.verb, row.count) for row in queries.unfinished(store.connection)] == [("get", 1)]
    assert calls_in(store) == 1


def test_two_imports_of_one_file_at_once_count_it_once(store, write):
    """The second to commit is told; what it had counted is not added."""
    path = write(log(range(100)))
    late = Importer(store, CATALOGUE)
    session = late.session

    def overtaken(*arguments):
        opened = session(*arguments)
        run(store, path)
        return opened

    late.session = overtaken
    with pytest.raises(StoreError, match="is being imported into this store by another process"):
        late.run(path)
    assert calls_in(store) == 100


def test_ctrl_c_keeps_what_was_counted(store, write, monkeypatch):
    """An interrupted import continues where it stopped."""
    read = LineImport.read
    path = write(log(range(100)))

    def interrupted(self):
        read(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(LineImport, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(store, path)
    monkeypatch.undo()
    assert calls_in(store) == 100
    assert run(store, write(log(range(110)))).calls == 10


def import_slowly(database, path, jobs, began):
    """Import with a commit after every block, telling after each that one is done."""
    with Store.open(database) as store:
        importer = Importer(store, CATALOGUE, Settings(jobs=jobs, pace=AT_ONCE), lambda _: began.release())
        importer.run(path)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_a_killed_import_continues(write, tmp_path, blocks, jobs, monkeypatch):
    """SIGKILL at any moment leaves a whole store; importing again counts every event exactly once."""
    monkeypatch.setattr(importer_module, "WORTH_WORKERS", 0)
    monkeypatch.setattr("apisnoop.store.importing.line_import.PIECE", 300_000)
    path, database = write(log(range(4000))), tmp_path / "killed.db"
    context = multiprocessing.get_context("fork")
    began = context.Semaphore(0)
    process = context.Process(target=import_slowly, args=(database, path, jobs, began))
    process.start()
    for _ in range(blocks):
        assert began.acquire(timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with Store.open(database) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        before = calls_in(store)
        (row,) = queries.imports(store.connection)
        assert row.calls == before
        assert run(store, path).calls == 4000 - before
        assert calls_in(store) == 4000


def test_a_disk_that_fills_up_loses_nothing(store, write):
    """The import ends with one clear line, and continues when there is room."""
    text = b"".join(line(n, requestURI=f"/api/v1/namespaces/n{n}/pods/p{n}") for n in range(8000))
    path = write(text)
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 60}")
    with pytest.raises(StoreError, match="the disk is full"):
        run(store, path, pace=AT_ONCE)
    counted = calls_in(store)
    assert 0 < counted < 8000
    store.connection.execute("PRAGMA max_page_count = 1073741823")
    assert run(store, path).calls == 8000 - counted


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
