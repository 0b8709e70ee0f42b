"""`apisnoop import` as people and pipelines use it."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apisnoop.calls.recording import Recording
from apisnoop.errors import ExitCode
from apisnoop.store.errors import StoreError
from apisnoop.store.queries import RunRow
from apisnoop.store.recordings import save_recordings
from apisnoop.store.store import Store
from tests.calls.sample import line, log
from tests.cli.reporting import run
from tests.store.batches import NINE
from tests.store.contents import calls_in
from tests.store.importing.inputs import har

APISNOOP = Path(sys.executable).with_name("apisnoop")


@pytest.fixture
def db(tmp_path):
    return tmp_path / "apisnoop.db"


@pytest.fixture
def no_readers(monkeypatch):
    """No component's reader: what it says of an input is its own tests' business."""
    monkeypatch.setattr("apisnoop.calls.reader.entry_points", lambda **_: ())


def test_an_import_says_what_it_brought(db, tmp_path):
    """One line an input on standard output, nothing on standard error when all is well."""
    (tmp_path / "audit.log").write_bytes(log(range(1200)))
    answer = run("import", tmp_path / "audit.log", "--db", db)
    assert (answer.exit_code, answer.stderr) == (ExitCode.OK, "")
    assert answer.stdout == f"{tmp_path}/audit.log: 1,200 records, 1,200 calls counted\n"
    again = run("import", tmp_path / "audit.log", "--db", db)
    assert again.stdout == f"{tmp_path}/audit.log: nothing new, imported before\n"
    (tmp_path / "audit.log").write_bytes(log(range(1210)))
    grown = run("import", tmp_path / "audit.log", "--db", db)
    assert grown.stdout == f"{tmp_path}/audit.log: 10 more records, 10 calls counted\n"


def test_what_was_not_counted_is_told(db, tmp_path):
    """Bad lines, a cut-off end and unfinished requests are messages, with the first bad line's number; exit 0."""
    text = line(0) + b"garbage\n" + line(1, stage="RequestReceived") + line(2) + line(3)[:90]
    (tmp_path / "audit.log").write_bytes(text)
    answer = run("import", tmp_path / "audit.log", "--db", db)
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout == (
        f"{tmp_path}/audit.log: 4 records, 2 calls counted, "
        "1 earlier stage of requests, which count at their end, 1 not counted\n"
    )
    bad, cut, open_ = answer.stderr.splitlines()
    assert bad.endswith("audit.log: 1 not counted: no JSON; the first is line 2, 7 bytes: xxxxxxx")
    assert "it ends in the middle of line 5 (90 bytes not counted); what came before is counted" in cut
    assert open_ == "apisnoop: unfinished requests, which count once their end is imported: 1 get"


def test_the_account_of_an_import_adds_up(db, tmp_path):
    """Every record is a call, an earlier stage, a duplicate or not counted; empty lines are no records."""
    stages = line(10, stage="RequestReceived") + line(11, stage="ResponseStarted")
    (tmp_path / "a.log").write_bytes(log(range(6)) + b"\n \n" + stages + b"garbage\n" + line(11) + log(range(3)))
    (tmp_path / "b.log").write_bytes(log([20]) + log(range(4)))
    first, second = run(
        "import", tmp_path / "a.log", tmp_path / "b.log", "--db", db, "--dedupe-ids"
    ).stdout.splitlines()
    assert first == (
        f"{tmp_path}/a.log: 13 records, 7 calls counted, 2 earlier stages of requests, which count at their end, "
        "3 duplicates, 1 not counted"
    )
    assert second == f"{tmp_path}/b.log: 5 records, 1 call counted, 4 duplicates"


def test_a_record_that_holds_several_events_is_told(db, tmp_path):
    """What adds up is the events then."""
    events = [json.loads(text) for text in (log(range(5)) + line(7, stage="RequestReceived")).splitlines()]
    (tmp_path / "lists.log").write_bytes(json.dumps({"kind": "EventList", "items": events}).encode() + b"\n" + line(9))
    assert run("import", tmp_path / "lists.log", "--db", db).stdout == (
        f"{tmp_path}/lists.log: 2 records with 7 events, 6 calls counted, "
        "1 earlier stage of requests, which count at their end\n"
    )


def test_a_stage_that_nobody_knows_is_no_audit_event(db, tmp_path):
    """It does not vanish from the account."""
    (tmp_path / "a.log").write_bytes(log(range(2)) + line(3, stage="Dreaming"))
    answer = run("import", tmp_path / "a.log", "--db", db)
    assert answer.stdout == f"{tmp_path}/a.log: 3 records, 2 calls counted, 1 not counted\n"
    assert "1 not counted: no audit event; the first is line 3" in answer.stderr


def test_json_output_is_one_object_an_input(db, tmp_path):
    """A pipeline gets every figure."""
    (tmp_path / "a.log").write_bytes(log(range(3)) + b"garbage\n")
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(log(range(10, 12))))
    answer = run("import", tmp_path / "a.log", tmp_path / "b.log.gz", "--db", db, "-o", "json")
    first, second = map(json.loads, answer.stdout.splitlines())
    assert first == {
        "name": f"{tmp_path}/a.log",
        "format": "audit",
        "known": False,
        "lines": 4,
        "calls": 3,
        "stages": 0,
        "duplicates": 0,
        "blank": 0,
        "bad": {"not-json": 1},
        "examples": {"not-json": "line 4, 7 bytes: xxxxxxx"},
        "problem": "",
        "first": NINE,
        "last": NINE + 2,
        "gap": "",
    }
    assert (second["calls"], second["bad"]) == (2, {})


def test_one_bad_input_does_not_keep_the_others(db, tmp_path, no_readers):
    """Each failure is one line and the exit code 3; what can be read is counted."""
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "audit.log").write_bytes(log(range(5)))
    answer = run("import", tmp_path / "missing", tmp_path / "noise", tmp_path / "audit.log", "--db", db)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stdout == f"{tmp_path}/audit.log: 5 records, 5 calls counted\n"
    missing, noise = answer.stderr.splitlines()
    assert missing.startswith(f"apisnoop: input {tmp_path}/missing cannot be read: No such file")
    assert noise.startswith(f"apisnoop: input {tmp_path}/noise is no recording that can be read")


@pytest.mark.parametrize(
    "names", [["missing"], ["noise"], ["missing", "noise"], ["cut.har"], ["cut.log"], ["other.json", "cut.log"]]
)
@pytest.mark.parametrize("options", [[], ["--dedupe-ids"]])
def test_an_import_that_reads_nothing_leaves_no_store(db, tmp_path, no_readers, names, options):
    """A new store would hold nothing, and hide from the next command that there is nothing."""
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "cut.har").write_bytes(har(*range(5))[:150])
    (tmp_path / "cut.log").write_bytes(line(0)[:90])
    (tmp_path / "other.json").write_bytes(b'{"a":1}')
    answer = run("import", *(tmp_path / name for name in names), "--db", db, *options)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert list(tmp_path.glob("apisnoop.db*")) == []


def test_a_store_that_was_there_stays(db, tmp_path):
    """Also an empty one: it is its owner's."""
    Store.open(db).close()
    (tmp_path / "other.json").write_bytes(b'{"a":1}')
    assert run("import", tmp_path / "other.json", "--db", db).exit_code == ExitCode.UNAVAILABLE
    assert db.exists()


@pytest.mark.parametrize("record", [line(0), line(0, stage="RequestReceived")])
def test_a_store_with_something_in_it_stays(db, tmp_path, record):
    """One of two inputs was read, if only a request that has not ended."""
    (tmp_path / "a.log").write_bytes(record)
    (tmp_path / "b.json").write_bytes(b'{"a":1}')
    answer = run("import", tmp_path / "a.log", tmp_path / "b.json", "--db", db)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    with Store.open(db, create=False) as store:
        assert calls_in(store) == ("ResponseComplete" in record.decode())


def test_an_empty_log_makes_a_store(db, tmp_path):
    """Nothing was logged yet, which is no failure; the reports then have a store to read."""
    (tmp_path / "audit.log").touch()
    assert run("import", tmp_path / "audit.log", "--db", db).exit_code == ExitCode.OK
    with Store.open(db, read_only=True) as store:
        assert calls_in(store) == 0


@pytest.mark.parametrize("is_pretty", [True, False])
@pytest.mark.parametrize(("entries", "exit_code"), [(0, ExitCode.UNAVAILABLE), (10, ExitCode.OK)])
def test_a_har_that_is_cut_off_says_so(db, tmp_path, is_pretty, entries, exit_code):
    """Its calls are counted as far as they are whole; without any it is an input that cannot be read."""
    whole = har(*range(20))
    text = whole if is_pretty else json.dumps(json.loads(whole)).encode()
    end = text.index(b"n=10") if entries else text.index(b"entries") + 20
    (tmp_path / "cut.har").write_bytes(text[:end])
    answer = run("import", tmp_path / "cut.har", "--db", db)
    assert answer.exit_code == exit_code
    assert answer.stdout == f"{tmp_path}/cut.har: {entries} records, {entries} calls counted\n"
    assert "cut.har: it ends in the middle of a record" in answer.stderr
    assert ("holds no call that could be counted" in answer.stderr) == (entries == 0)


def test_values_that_are_no_events_are_counted_as_bad(db, tmp_path):
    """Also behind a first line that lets the file look like a document."""
    for first, count in ((b"[]\n", 3), (b"123\n", 4), (b'"x"\n', 4)):
        (tmp_path / "audit.log").write_bytes(first + b"123\n" + line(0) + b'"x"\ntrue\n' + line(1))
        db.unlink(missing_ok=True)
        answer = run("import", tmp_path / "audit.log", "--db", db, "-o", "json")
        outcome = json.loads(answer.stdout)
        assert (answer.exit_code, outcome["calls"], sum(outcome["bad"].values())) == (ExitCode.OK, 2, count)


@pytest.mark.parametrize(
    ("since", "until", "is_told"), [(0, 5, True), (-90, -60, False), (60, None, False), (4, None, True)]
)
def test_runs_of_the_same_time_are_told(db, tmp_path, since, until, is_told):
    """Calls that were watched and are in the log too count twice, which nobody can see from the numbers; told once."""
    for name, numbers in (("a.log", range(10)), ("b.log", range(3, 13))):
        (tmp_path / name).write_bytes(log(numbers))
    with Store.open(db) as store:
        store.save_run(RunRow("r", "kubectl", "host", NINE + since, until and NINE + until, until and 0, 3, "1"))
    answer = run("import", tmp_path / "a.log", tmp_path / "b.log", "--db", db)
    assert answer.exit_code == ExitCode.OK
    warned = [
        line for line in answer.stderr.splitlines() if "(`apisnoop run` of kubectl)" in line and "count twice" in line
    ]
    assert len(warned) == is_told
    assert all("--dedupe-ids" in line for line in warned)


def test_pods_recorded_in_the_same_time_are_told(db, tmp_path):
    """What was pulled from a node is in the cluster's own log, too."""
    (tmp_path / "a.log").write_bytes(log(range(10)))
    with Store.open(db) as store, store.transaction():
        stretches = [Recording("worker-1", "shop", f"web-{at}", f"u{at}", NINE - 60, NINE + 60) for at in range(3)]
        save_recordings(store.connection, stretches)
    answer = run("import", tmp_path / "a.log", "--db", db)
    assert "the same time was recorded into this store already (node worker-1)" in answer.stderr


def test_a_folder_is_imported_without_what_is_no_recording(db, tmp_path, no_readers):
    """Logs lie beside other files; these are named and left out, which is no failure."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "audit.log").write_bytes(log(range(5)))
    (folder / "README").write_text("hello")
    (folder / "empty.log").touch()
    answer = run("import", folder, "--db", db)
    assert answer.exit_code == ExitCode.OK
    assert f"{folder}/audit.log: 5 records, 5 calls counted" in answer.stdout
    assert f"{folder}/empty.log: empty, nothing to import" in answer.stdout
    assert answer.stderr == f"apisnoop: {folder}/README is no recording and was left out\n"


def test_an_input_without_any_event_is_a_failure(db, tmp_path):
    """JSON of another program is most likely the wrong file."""
    (tmp_path / "app.log").write_bytes(b'{"level":"info","msg":"hello"}\n' * 5)
    answer = run("import", tmp_path / "app.log", "--db", db)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "holds no call that could be counted: name another file" in answer.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import"], "Missing argument 'FILE...'"),
        (["import", "x", "--format", "nonsense"], "'nonsense' is none of auto, audit, har"),
        (["import", "x", "--jobs", "0"], "0 is not in the range"),
        (["import", "-", "--follow"], "--follow takes files"),
        (["import", "x", "--spec", "0.1"], "0.1"),
    ],
)
def test_a_wrong_command_line_is_told(db, words, message):
    """Exit code 2 and a sentence that names the value."""
    answer = run(*words, "--db", db)
    assert answer.exit_code == ExitCode.USAGE
    assert message in answer.stderr


def test_a_store_that_is_none_is_told(db, tmp_path):
    """Exit code 3, one line, no traceback, and the file stays."""
    db.write_bytes(os.urandom(9000))
    (tmp_path / "audit.log").write_bytes(log(range(5)))
    answer = run("import", tmp_path / "audit.log", "--db", db)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "is not an apisnoop store: name another file" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def wait_for_calls(db, count):
    """Wait until a store has so many calls; the import in another process commits them."""
    for _ in range(600):
        try:
            with Store.open(db, read_only=True) as store:
                if calls_in(store) >= count:
                    return
        except StoreError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{db} never had {count} calls")


def test_following_ends_with_ctrl_c(db, tmp_path):
    """A growing log is counted while it grows; Ctrl-C ends it with what was counted and exit code 130."""
    path = tmp_path / "audit.log"
    path.write_bytes(log(range(10)))
    command = [APISNOOP, "import", "--follow", path, "--db", db]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for_calls(db, 10)
        with path.open("ab") as file:
            file.write(log(range(10, 30)))
        wait_for_calls(db, 30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, f"{path}: 30 records, 30 calls counted\n")
    assert "Traceback" not in err


def test_standard_input_is_an_input(db):
    """`zcat *.gz | apisnoop import -` works, and so does handing over compressed bytes."""
    for data in (log(range(7)), gzip.compress(log(range(9)))):
        answer = subprocess.run([APISNOOP, "import", "-", "--db", db], input=data, capture_output=True, check=True)
    assert answer.stdout == b"standard input: 2 more records, 2 calls counted\n"
