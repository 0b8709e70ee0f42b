"""The ledger keeps every call of a run, soon, and says what it could not keep."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue
from apisnoop.store import queries
from apisnoop.store.errors import StoreError
from apisnoop.store.store import Store
from apisnoop_addons.run.ledger import Ledger
from apisnoop_addons.run.session import begun_run
from apisnoop_addons.writing_thread import WritingThread

RUN = begun_run(["kubectl", "get", "secret"])


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue("1.34")


@pytest.fixture
def call(catalogue) -> Call:
    match = catalogue.match("GET", "/api/v1/pods")
    return Call(match, Caller(), "GET", "/api/v1/pods", 200, time.time(), 0.1, audit_id="a")


def stored(path: Path) -> tuple[int, list[queries.RunRow]]:
    with Store.open(path, read_only=True) as store:
        return sum(use.ok for use in queries.uses(store.connection)), list(queries.runs(store.connection))


def test_calls_are_in_the_store_the_file_and_the_total(tmp_path, call, catalogue):
    """Each of them once, and the run with its end."""

    async def go() -> Ledger:
        ledger = await Ledger(tmp_path / "s.db", tmp_path / "c.jsonl").open()
        ledger.begin(RUN, catalogue)
        for _ in range(3):
            ledger.record(call)
        await ledger.close(msgspec.structs.replace(RUN, calls=3, ended=1.0, exit_code=2))
        return ledger

    ledger = asyncio.run(go())
    assert (ledger.count, ledger.total.calls, ledger.troubles) == (3, 3, [])
    assert [json.loads(line)["audit_id"] for line in (tmp_path / "c.jsonl").read_text().splitlines()] == ["a"] * 3
    calls, [run] = stored(tmp_path / "s.db")
    assert (calls, run.calls, run.ended, run.exit_code, run.command) == (3, 3, 1.0, 2, "kubectl")


def test_what_comes_before_the_beginning_is_not_the_commands(tmp_path, call, catalogue):
    """Our own questions to the cluster are not counted."""

    async def go() -> int:
        ledger = await Ledger(tmp_path / "s.db", None).open()
        ledger.record(call)
        ledger.begin(RUN, catalogue)
        ledger.record(call)
        await ledger.close(RUN)
        return ledger.count

    assert asyncio.run(go()) == 1
    assert stored(tmp_path / "s.db")[0] == 1


def test_calls_are_kept_while_the_run_goes_on(tmp_path, call, catalogue, monkeypatch):
    """About a second after a call it is safe, whatever happens to us; so is the run itself."""
    save, saved = Store.save_run, threading.Event()

    def save_and_tell(self: Store, run: queries.RunRow) -> None:
        save(self, run)
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN")
        saved.set()

    async def go() -> None:
        ledger = await Ledger(tmp_path / "s.db", tmp_path / "c.jsonl").open()
        monkeypatch.setattr(Store, "save_run", save_and_tell)
        ledger.begin(RUN, catalogue)
        ledger.record(call)
        assert await asyncio.to_thread(saved.wait, 10)
        calls, [run] = stored(tmp_path / "s.db")
        assert (calls, run.ended) == (1, None)
        assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 1
        await ledger.close(RUN)

    asyncio.run(go())


def test_a_run_that_never_began_leaves_no_trace(tmp_path):
    """A command that could not be started was not watched."""

    async def go() -> None:
        ledger = await Ledger(tmp_path / "s.db", None).open()
        await ledger.close(None)

    asyncio.run(go())
    assert stored(tmp_path / "s.db") == (0, [])


def test_what_the_store_refuses_is_tried_again(tmp_path, call, catalogue, monkeypatch):
    """A full disk that gets room again costs nothing."""
    add, refused = Store.add, threading.Event()

    def refuse_once(self: Store, *args: Any, **kwargs: Any) -> None:
        if not refused.is_set():
            refused.set()
            raise StoreError("store is full")
        add(self, *args, **kwargs)

    async def go() -> Ledger:
        ledger = await Ledger(tmp_path / "s.db", None).open()
        monkeypatch.setattr(Store, "add", refuse_once)
        ledger.begin(RUN, catalogue)
        ledger.record(call)
        assert await asyncio.to_thread(refused.wait, 10)
        ledger.record(call)
        await ledger.close(RUN)
        return ledger

    assert asyncio.run(go()).troubles == []
    assert stored(tmp_path / "s.db")[0] == 2


def test_what_cannot_be_kept_is_told(tmp_path, call, catalogue, monkeypatch):
    """How much is missing from the store and from the file; the report still has it all."""

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("store is full")

    async def go() -> Ledger:
        ledger = await Ledger(tmp_path / "s.db", Path("/dev/full")).open()
        monkeypatch.setattr(Store, "add", refuse)
        ledger.begin(RUN, catalogue)
        ledger.record(call)
        await ledger.close(RUN)
        return ledger

    ledger = asyncio.run(go())
    assert ledger.total.calls == 1
    assert ledger.troubles == [
        "1 calls were not added: store is full",
        "--calls /dev/full is incomplete: No space left on device; free some space and run again",
    ]


@pytest.mark.parametrize(
    ("db", "calls", "message"),
    [
        ("s.db", "nowhere/c.jsonl", r"--calls .*nowhere/c.jsonl cannot be written: No such file"),
        ("nowhere/s.db", "c.jsonl", r"store .*nowhere/s.db cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_told_at_once(tmp_path, db, calls, message):
    """Before the command has run."""
    ledger = Ledger(tmp_path / db, tmp_path / calls)
    with pytest.raises(ApisnoopError, match=message):
        asyncio.run(ledger.open())


def test_a_fault_of_ours_in_the_thread_is_not_swallowed(tmp_path, call, catalogue, monkeypatch):
    """An exception nobody expected surfaces at the end, whether anybody waited for the thread or not."""
    fail, failed = Store.add, threading.Event()

    def fail_once(self: Store, *args: Any, **kwargs: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise TypeError("a mistake")
        fail(self, *args, **kwargs)

    async def go() -> None:
        ledger = await Ledger(tmp_path / "s.db", tmp_path / "c").open()
        monkeypatch.setattr(Store, "add", fail_once)
        ledger.begin(RUN, catalogue)
        ledger.record(call)
        assert await asyncio.to_thread(failed.wait, 10)
        await ledger.close(RUN)

    with pytest.raises(TypeError, match="a mistake"):
        asyncio.run(go())


def test_a_locked_store_costs_neither_calls_nor_memory(tmp_path, call, catalogue, monkeypatch):
    """While somebody else has it, calls are counted in one batch, of which there is never more than one that waits."""
    monkeypatch.setattr("apisnoop_addons.run.ledger.FLUSH_SECONDS", 0.0)
    handed: list[Callable[[], None]] = []
    begin = WritingThread.begin

    def note(self: WritingThread, work: Callable[[], None]) -> None:
        handed.append(work)
        begin(self, work)

    async def go() -> tuple[int, Ledger]:
        ledger = await Ledger(tmp_path / "s.db", None).open()
        with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            monkeypatch.setattr(WritingThread, "begin", note)
            ledger.begin(RUN, catalogue)
            for _ in range(1000):
                ledger.record(call)
                await asyncio.sleep(0)  # a turn of the loop, in which a flush is due
            waiting = len(handed)
            other.execute("COMMIT")
        await ledger.close(msgspec.structs.replace(RUN, calls=ledger.count, ended=1.0))
        return waiting, ledger

    waiting, ledger = asyncio.run(go())
    assert waiting == 1
    assert (ledger.count, ledger.total.calls, ledger.troubles) == (1000, 1000, [])
    calls, [run] = stored(tmp_path / "s.db")
    assert (calls, run.calls) == (1000, 1000)
