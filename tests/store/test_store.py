"""Opening stores, adding to them, and what can be wrong with them."""

import multiprocessing
import os
import resource
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import TallyBatch
from apisnoop.errors import ExitCode
from apisnoop.store import queries, schema
from apisnoop.store import store as store_module
from apisnoop.store.errors import StoreError
from apisnoop.store.schema import APPLICATION_ID, VERSION
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE
from tests.store.batches import CALLERS, NINE, batch_of, batches
from tests.store.contents import calls_in, contents


def in_fork(target, *arguments):
    """Run a function in a process of its own and give what it puts into the queue that it gets last."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=target, args=(*arguments, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


ONE_CALL = [("/api/v1/namespaces/a/pods/p", CALLERS[0], 200, 0, 5)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "apisnoop.db"


@pytest.fixture
def filled(path):
    with Store.open(path) as store:
        store.add(batch_of(ONE_CALL), catalogue=CATALOGUE)
    return path


@given(st.lists(batches, max_size=4))
def test_adding_batches_is_adding_their_calls(made):
    """Batches added one by one leave what one batch with all their calls leaves."""
    whole = TallyBatch()
    with Store.open(":memory:") as one_by_one, Store.open(":memory:") as at_once:
        for batch in made:
            one_by_one.add(batch)
            whole.merge(batch)
        at_once.add(whole)
        ours, theirs = contents(one_by_one), contents(at_once)
        assert ours["tallies"] == theirs["tallies"]
        assert ours["names"] == theirs["names"]
        assert calls_in(one_by_one) == sum(batch.calls for batch in made)


def test_a_store_is_there_after_closing(filled):
    """The file alone is the store: no journal stays beside it, after reading neither, and any SQLite tool reads it."""
    with Store.open(filled, read_only=True) as store:
        assert calls_in(store) == 1
    assert [entry.name for entry in filled.parent.iterdir()] == ["apisnoop.db"]
    connection = sqlite3.connect(filled)
    assert connection.execute("SELECT operation, calls, ok FROM calls_by_operation").fetchall() == [
        ("readCoreV1NamespacedPod", 1, 1)
    ]
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_the_catalogue_is_remembered(filled):
    """Reports can say what calls were matched against."""
    with Store.open(filled) as store:
        store.add(batch_of(ONE_CALL), catalogue=CATALOGUE)
        (row,) = queries.catalogues_used(store.connection)
    assert (row.release, row.digest) == (CATALOGUE.release, CATALOGUE.digest)
    assert row.first_used <= row.last_used


def test_a_run_is_brought_up_to_date(path):
    """The same run saved again is one run, with its end."""
    with Store.open(path) as store:
        store.save_run(queries.RunRow("r1", "kubectl", "host", NINE, None, None, 0, "1"))
        store.save_run(queries.RunRow("r1", "kubectl", "host", NINE, NINE + 5, 0, 7, "1"))
        assert queries.runs(store.connection) == [queries.RunRow("r1", "kubectl", "host", NINE, NINE + 5, 0, 7, "1")]


def test_a_failed_transaction_leaves_nothing(filled):
    """What was added before a failure inside the same transaction is not there afterwards."""
    with Store.open(filled) as store:
        with suppress(ZeroDivisionError), store.transaction():
            store.add(batch_of(ONE_CALL))
            raise ZeroDivisionError
        assert calls_in(store) == 1


def test_reading_needs_a_store(path):
    """A store that is read is not made by the way; the message names the next step."""
    with pytest.raises(StoreError, match=r"does not exist: name one that does, or make it with --db of `apisnoop"):
        Store.open(path, read_only=True)
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(path, create=False)
    assert not path.exists()


@pytest.mark.parametrize("noise", [b"hello", os.urandom(20_000), b"SQLite format 3\0" + bytes(5000)])
@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_database_is_left_alone(path, noise, read_only):
    """A file of another kind gives one clear line, and stays as it was."""
    path.write_bytes(noise)
    with pytest.raises(StoreError, match=r"apisnoop\.db is not an apisnoop store: name another file \(SQLite"):
        Store.open(path, read_only=read_only)
    assert path.read_bytes() == noise


def test_another_programs_database_is_left_alone(path):
    """An SQLite file that is no store is not touched, not even its journal mode."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is an SQLite file of another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(path):
    """`mktemp` makes such files."""
    path.touch()
    with Store.open(path) as store:
        assert calls_in(store) == 0


def test_a_store_of_a_newer_version_is_refused(filled):
    """It may mean things this version cannot know; nothing is changed."""
    connection = sqlite3.connect(filled)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = filled.read_bytes()
    for read_only in (True, False):
        with pytest.raises(StoreError, match=r"written by a newer apisnoop \(format 3, this one knows 2\)") as caught:
            Store.open(filled, read_only=read_only)
        assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert filled.read_bytes() == before


@pytest.fixture
def newer(monkeypatch):
    """A later version of the program: one step more."""

    def add_colour(db):
        db.table("callers").add_column("colour", str, not_null_default="blue")

    monkeypatch.setattr(store_module, "STEPS", (*schema.STEPS, add_colour))
    monkeypatch.setattr(store_module, "VERSION", VERSION + 1)


def test_an_older_store_is_brought_forward(filled, newer):
    """Opening it for writing runs the steps it lacks; what it holds stays."""
    with Store.open(filled) as store:
        assert calls_in(store) == 1
        assert store.connection.execute("SELECT colour FROM callers").fetchall() == [("blue",)]
    connection = sqlite3.connect(filled)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
    connection.close()


@pytest.fixture
def first_format(path, monkeypatch):
    """A store as the first step alone makes it, with a call and a loss in it; and a copy."""
    with monkeypatch.context() as earlier:
        earlier.setattr(store_module, "STEPS", schema.STEPS[:1])
        earlier.setattr(store_module, "VERSION", 1)
        Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO callers VALUES (1, '', 'shop', 'web-1', '', '', '', '', '', '', '', '', '')")
    connection.execute("INSERT INTO losses VALUES ('audit.log', 'not-json', '', 3, 0, 0, '')")
    connection.execute("INSERT INTO catalogues VALUES ('1.36', 's', 'd', 1780304400.123, 1780304400.123)")
    connection.commit()
    connection.close()
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    return path, copy


def test_a_store_of_the_first_format_goes_on(first_format):
    """Its callers and losses are its own, and what it counts further joins them; a copy is known as one."""
    with Store.open(first_format[0]) as store, Store.open(first_format[1], read_only=True) as copy:
        batch = batch_of([("/healthz", Caller(namespace="shop", pod="web-1"), 200, 0, 1)], [("not-json", 1, "")])
        store.add(batch)
        assert [(row.id, row.pod) for row in queries.callers(store.connection)] == [(1, "web-1")]
        assert [loss.count for loss in queries.losses(store.connection)] == [4]
        assert store.identity == copy.identity


def test_no_two_stores_have_one_identity(tmp_path):
    """Even if they are made in the same moment."""
    with Store.open(tmp_path / "a.db") as one, Store.open(tmp_path / "b.db") as other:
        assert one.identity != other.identity


def test_an_older_store_is_read_without_changing_it(filled, newer):
    """A report on an old store works where the file must not be written: on a copy that is gone afterwards."""
    before = filled.read_bytes()
    with Store.open(filled, read_only=True) as store:
        assert (store.path, calls_in(store)) == (str(filled), 1)
        assert store.connection.execute("SELECT colour FROM callers").fetchall() == [("blue",)]
        copy = store.file
    assert filled.read_bytes() == before
    assert not Path(copy).exists()


def test_a_step_that_fails_leaves_the_older_store(filled, monkeypatch):
    """All steps happen or none."""

    def fail(db):
        db.table("callers").add_column("colour", str)
        raise ZeroDivisionError

    monkeypatch.setattr(store_module, "STEPS", (*schema.STEPS, fail))
    monkeypatch.setattr(store_module, "VERSION", VERSION + 1)
    with pytest.raises(ZeroDivisionError):
        Store.open(filled)
    monkeypatch.undo()
    with Store.open(filled) as store:
        assert "colour" not in store.db.table("callers").columns_dict
        assert calls_in(store) == 1


def open_as_nobody(path, read_only, answers):
    os.setegid(65534)
    os.seteuid(65534)
    try:
        with Store.open(path, read_only=read_only) as store:
            answers.put(str(calls_in(store)))
    except StoreError as error:
        answers.put(str(error))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("read_only", "answer"), [(True, "1"), (False, "cannot be written: check its permissions, or name another file")]
)
def test_a_store_that_cannot_be_written_can_be_read(filled, public_folder, read_only, answer):
    """A read-only file in a read-only folder is read; writing to it gives one clear line."""
    path = public_folder / "apisnoop.db"
    path.write_bytes(filled.read_bytes())
    path.chmod(0o444)
    assert answer in in_fork(open_as_nobody, path, read_only)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_reading_leaves_nothing_behind(filled):
    """Neither who may write the file nor who may write only its folder leaves a log beside it."""
    before = set(filled.parent.iterdir())
    with Store.open(filled, read_only=True) as store:
        assert calls_in(store) == 1
    assert set(filled.parent.iterdir()) == before
    filled.chmod(0o444)
    for folder in list(filled.parents)[:3]:
        folder.chmod(0o777)
    assert in_fork(open_as_nobody, filled, True) == "1"
    assert set(filled.parent.iterdir()) == before


def test_a_folder_that_is_missing_is_told(tmp_path):
    """The message says what to check."""
    with pytest.raises(StoreError, match="cannot be opened: check that its folder exists"):
        Store.open(tmp_path / "missing" / "apisnoop.db")


def test_a_full_disk_loses_nothing(filled):
    """A batch that does not fit gives one clear line, what was there stays, and it can be added once there is room."""
    paths = [(f"/random-{n}/path", CALLERS[0], 404, 0, None) for n in range(3000)]
    with Store.open(filled) as store:
        before = contents(store)
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="the disk is full: free some space and run the command again"):
            store.add(batch_of(paths))
        assert contents(store) == before
        store.connection.execute("PRAGMA max_page_count = 1073741823")
        store.add(batch_of(paths))
        assert calls_in(store) == 3001


def limited(path, kilobytes, answers):
    """Add to a store in a process whose files cannot grow beyond a size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))
    try:
        with Store.open(path) as store:
            for number in range(100):
                store.add(batch_of([(f"/random-{number}-{n}/path", CALLERS[0], 404, 0, None) for n in range(500)]))
        answers.put("no failure")
    except StoreError as error:
        answers.put(str(error))


def test_a_file_that_cannot_grow_leaves_a_whole_store(filled):
    """The same with a failure of the file system itself, in the middle of a write."""
    message = in_fork(limited, filled, 400)
    assert "nothing is lost" in message
    with Store.open(filled) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert calls_in(store) % 500 == 1


def add_often(path, caller, times, start):
    start.wait()
    for _ in range(times):
        with Store.open(path) as store:
            store.add(batch_of([("/api/v1/namespaces/a/pods/p", caller, 200, 0, 5)] * 3))


def test_several_writers_and_readers_at_once(path):
    """Processes that add to a new store while others read it lose nothing and see whole batches only."""
    context = multiprocessing.get_context("fork")
    start = context.Event()
    writers = [context.Process(target=add_often, args=(path, caller, 10, start)) for caller in CALLERS * 2]
    for writer in writers:
        writer.start()
    start.set()
    seen = []
    while any(writer.is_alive() for writer in writers):
        if path.exists() and path.stat().st_size:
            with Store.open(path) as store:
                seen.append(calls_in(store))
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    with Store.open(path) as store:
        assert calls_in(store) == len(writers) * 30
    assert all(count % 3 == 0 for count in seen)
    assert seen == sorted(seen)


def test_a_writer_that_waits_too_long_says_so(path, monkeypatch):
    """A lock that nobody gives back ends in one clear line, not in a hang."""
    monkeypatch.setattr("apisnoop.store.connection.BUSY_SECONDS", 0.05)
    with Store.open(path) as store, Store.open(path) as other:
        with other.transaction(), pytest.raises(StoreError, match="is kept locked by another process"):
            store.add(batch_of(ONE_CALL))
        store.add(batch_of(ONE_CALL))
        assert calls_in(store) == 1


def test_a_mistake_of_ours_is_no_error_of_the_store(filled):
    """A statement that cannot be right shows its traceback."""
    with Store.open(filled) as store, pytest.raises(sqlite3.OperationalError), store.transaction():
        store.connection.execute("SELECT * FROM no_such_table")


def test_any_catalogue_will_do(path):
    """Release, source and digest are all that is asked of it."""
    with Store.open(path) as store:
        store.note_catalogue(SimpleNamespace(release="1.36", source="a file", digest="d"))
        assert [row.source for row in queries.catalogues_used(store.connection)] == ["a file"]
