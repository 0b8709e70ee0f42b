"""`apisnoop import` as a process that is killed: started again it goes on, and every line counts once."""

import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from apisnoop.errors import ExitCode
from apisnoop.store import queries
from apisnoop.store.errors import StoreError
from apisnoop.store.store import Store
from tests.calls.sample import line, log
from tests.store.contents import calls_in

APISNOOP = Path(sys.executable).with_name("apisnoop")
DISTINCT = 9_000
"""Namespaces told apart; each hour of them is as many tallies, so that an import commits before it has ended."""


@pytest.fixture
def db(tmp_path):
    return tmp_path / "apisnoop.db"


def start(db, *words):
    """Run the installed command; the caller ends it."""
    command = [APISNOOP, "import", "--db", db, *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stored(db):
    """How many calls a store that another process writes has by now."""
    try:
        with Store.open(db, read_only=True) as store:
            return calls_in(store)
    except StoreError:
        return 0  # not made yet


def kill_after(process, db, calls):
    """Kill a process once the store has so many calls."""
    deadline = time.monotonic() + 60
    while stored(db) < calls:
        assert process.poll() is None
        assert time.monotonic() < deadline
        # SQLite tells nobody of another process's commit, and inotify tells of bytes written, committed or not.
        time.sleep(0.02)
    process.kill()
    process.wait()


def check(db):
    """Give the calls of a store that must be whole, and whose imports must say the same."""
    with Store.open(db) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        calls = calls_in(store)
        assert sum(row.calls for row in queries.imports(store.connection)) == calls
        return calls


def write_distinct(path, lines):
    """Write a log in which most events make a tally of their own."""
    event = line(0, auditID="id-#number#", requestURI="/api/v1/namespaces/n#namespace#/pods")
    with path.open("wb") as file:
        for number in range(lines):
            hour = b"T%02d:" % (number // DISTINCT)
            namespace = b"%d" % (number % DISTINCT)
            made = event.replace(b"#number#", b"%d" % number).replace(b"#namespace#", namespace)
            file.write(made.replace(b"T09:", hour))


@pytest.mark.parametrize("options", [["--jobs", "1"], ["--jobs", "2"], ["--dedupe-ids"]])
def test_a_killed_import_goes_on(db, tmp_path, options):
    """SIGKILL between two commits costs the second one, which the next import makes again."""
    path, lines = tmp_path / "audit.log", 100_000
    write_distinct(path, lines)
    process = start(db, path, *options)
    kill_after(process, db, 1)
    before = check(db)
    assert 0 < before < lines
    assert start(db, path, *options).wait() == ExitCode.OK
    assert check(db) == lines
    assert start(db, path, *options).wait() == ExitCode.OK
    assert check(db) == lines


def test_killed_followers_go_on_through_rotations(db, tmp_path):
    """Each is killed while the log grows, and that is rotated in both ways; with the rotated files all is there."""
    path, numbers = tmp_path / "audit.log", count()
    files = [path]

    def write(lines):
        with path.open("ab") as file:
            file.write(log(next(numbers) for _ in range(lines)))

    def follow(lines):
        before = stored(db)
        process = start(db, path, "--follow")
        write(lines)
        kill_after(process, db, before + 1)
        check(db)

    write(2000)
    follow(500)
    files.append(path.with_suffix(".renamed"))
    path.rename(files[-1])
    write(700)
    follow(300)
    files.append(path.with_suffix(".copied"))
    files[-1].write_bytes(path.read_bytes())
    path.write_bytes(b"")
    write(1500)
    follow(100)
    assert start(db, *files).wait() == ExitCode.OK
    assert check(db) == next(numbers)


def test_ids_tell_overlapping_sources_apart(db, tmp_path):
    """Collectors that shipped parts of the same log: each event counts once, in whatever order they come."""
    parts = {"first.log": range(60), "second.log": range(40, 100), "third.log": range(20, 80)}
    for name, numbers in parts.items():
        (tmp_path / name).write_bytes(log(numbers))
    for name in ("second.log", "first.log", "third.log"):
        assert start(db, tmp_path / name, "--dedupe-ids").wait() == ExitCode.OK
    assert stored(db) == 100
    plain = tmp_path / "plain.db"
    assert start(plain, *(tmp_path / name for name in parts)).wait() == ExitCode.OK
    assert stored(plain) == 180
