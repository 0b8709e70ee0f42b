"""`apisnoop merge`."""

import os

import pytest

from apisnoop.errors import ExitCode
from apisnoop.store.importing.importer import Importer
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, log
from tests.cli.reporting import run
from tests.store.contents import calls_in


@pytest.fixture
def stores(tmp_path):
    """Two stores of 10 and 20 calls."""
    paths = []
    for name, numbers in {"a": range(10), "b": range(10, 30)}.items():
        (tmp_path / f"{name}.log").write_bytes(log(numbers))
        paths.append(tmp_path / f"{name}.db")
        with Store.open(paths[-1]) as store:
            Importer(store, CATALOGUE).run(str(tmp_path / f"{name}.log"))
    return paths


def test_stores_become_one(stores, tmp_path):
    """The new store holds the calls of all; the old ones stay as they were."""
    before = [path.read_bytes() for path in stores]
    answer = run("merge", *stores, "-o", tmp_path / "c.db")
    assert (answer.exit_code, answer.stderr) == (ExitCode.OK, "")
    assert answer.stdout == f"{tmp_path}/c.db: 30 calls of 2 stores\n"
    with Store.open(tmp_path / "c.db", read_only=True) as store:
        assert calls_in(store) == 30
    assert [path.read_bytes() for path in stores] == before


def test_counting_twice_is_told(stores, tmp_path):
    """A store given twice, or an input imported into both, doubles numbers; that is said, and done."""
    answer = run("merge", stores[0], stores[0], "-o", tmp_path / "c.db")
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout == f"{tmp_path}/c.db: 20 calls of 2 stores\n"
    assert "holds calls of" in answer.stderr
    assert "they count twice" in answer.stderr


def test_an_existing_file_is_not_overwritten(stores, tmp_path):
    """Neither another store nor one of the inputs can be lost by a mistyped name."""
    before = stores[0].read_bytes()
    answer = run("merge", *stores, "-o", stores[0])
    assert answer.exit_code == ExitCode.USAGE
    assert "exists already: remove it, or name another file with -o" in answer.stderr
    assert stores[0].read_bytes() == before


@pytest.mark.parametrize("bad", ["missing", "noise", "newer"])
def test_a_failure_leaves_nothing_behind(stores, tmp_path, bad):
    """When one of the stores cannot be read, the new one does not come into being, not even in part."""
    if bad == "noise":
        (tmp_path / "bad.db").write_bytes(os.urandom(9000))
    elif bad == "newer":
        with Store.open(tmp_path / "bad.db") as store:
            store.connection.execute("PRAGMA user_version = 99")
    before = sorted(tmp_path.iterdir())
    answer = run("merge", stores[0], tmp_path / "bad.db", "-o", tmp_path / "c.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert len(answer.stderr.splitlines()) == 1
    assert "bad.db" in answer.stderr
    assert "another file with --db" not in answer.stderr  # `merge` has no --db
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_folder_is_told(stores, tmp_path):
    """Exit code 3 and what to check."""
    answer = run("merge", *stores, "-o", tmp_path / "missing" / "c.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "check that its folder exists" in answer.stderr


def test_a_folder_that_does_not_exist_is_told_by_the_name_that_was_given(stores, tmp_path):
    """The file that is being made has another name until it is whole; nobody needs to know."""
    answer = run("merge", *stores, "-o", tmp_path / "nowhere" / "c.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr.startswith(f"apisnoop: store {tmp_path}/nowhere/c.db cannot be opened: check that its folder")
