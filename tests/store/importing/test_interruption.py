"""Imports that do not get to their end: nothing is lost, and nothing counts twice when they are run again."""

import multiprocessing
import os
import signal

import pytest

from apisnoop.store import queries
from apisnoop.store.errors import StoreError
from apisnoop.store.importing import importer as importer_module
from apisnoop.store.importing.importer import Importer, Settings
from apisnoop.store.importing.line_import import LineImport
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, line, log
from tests.store.contents import calls_in
from tests.store.importing.inputs import AT_ONCE, run


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
