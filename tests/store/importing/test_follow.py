"""Following growing files."""

import gzip
import json
import os

import pytest

from apisnoop.calls.inputs.errors import InputError
from apisnoop.store import queries
from apisnoop.store.importing.follow import Follower
from apisnoop.store.importing.importer import Importer, Settings
from apisnoop.store.importing.pace import Pace
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, event, line, log
from tests.store.contents import calls_in


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "apisnoop.db") as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.log"


def follower_of(store, path, seconds=0.0):
    return Follower(Importer(store, CATALOGUE, Settings(pace=Pace(seconds))), str(path))


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def calls(follower):
    return sum(outcome.calls for outcome in follower.outcomes)


def test_lines_are_counted_as_they_come(store, path):
    """Each step counts what was added; half a line waits for its other half."""
    path.write_bytes(log(range(10)))
    follower = follower_of(store, path)
    follower.step()
    assert calls_in(store) == 10
    append(path, line(10) + line(11)[:50])
    follower.step()
    assert calls_in(store) == 11
    append(path, line(11)[50:] + line(12))
    follower.step()
    assert calls_in(store) == 13
    follower.step()
    follower.stop()
    assert (calls_in(store), calls(follower)) == (13, 13)


def test_rotation_by_renaming_loses_nothing(store, path):
    """What came to the old file until it was renamed is counted, then the new one, and the old one never again."""
    path.write_bytes(log(range(10)))
    follower = follower_of(store, path)
    follower.step()
    append(path, log(range(10, 20)))
    path.rename(path.with_suffix(".1"))
    follower.step()
    append(path.with_suffix(".1"), log(range(20, 25)))
    path.write_bytes(log(range(30, 40)))
    follower.step()
    follower.step()
    append(path, log(range(40, 45)))
    follower.step()
    follower.stop()
    assert calls_in(store) == 40
    assert [outcome.calls for outcome in follower.outcomes] == [25, 15]
    importer = Importer(store, CATALOGUE)
    assert [importer.run(str(name)).calls for name in (path, path.with_suffix(".1"))] == [0, 0]


def test_rotation_by_truncating_is_noticed(store, path):
    """A file that was copied and emptied is read from its beginning; the copy is known."""
    path.write_bytes(log(range(20)))
    follower = follower_of(store, path)
    follower.step()
    path.with_suffix(".copy").write_bytes(path.read_bytes())
    os.truncate(path, 0)
    follower.step()
    append(path, log(range(30, 35)))
    follower.step()
    follower.stop()
    assert calls_in(store) == 25
    assert Importer(store, CATALOGUE).run(str(path.with_suffix(".copy"))).calls == 0


def test_a_file_that_is_empty_or_gone_is_waited_for(store, path):
    """A new log is empty for a moment, and between the steps of a rotation there is none."""
    path.touch()
    follower = follower_of(store, path)
    follower.step()
    append(path, line(0)[:100])
    follower.step()
    append(path, line(0)[100:])
    follower.step()
    assert calls_in(store) == 1
    os.truncate(path, 0)
    follower.step()
    path.unlink()
    follower.step()
    follower.step()
    path.write_bytes(log(range(5, 8)))
    follower.step()
    follower.stop()
    assert calls_in(store) == 4


def test_following_continues_where_an_import_ended(store, path):
    """What was imported, or followed by an earlier process, is not counted again."""
    path.write_bytes(log(range(50)))
    Importer(store, CATALOGUE).run(str(path))
    append(path, log(range(50, 60)))
    follower = follower_of(store, path)
    follower.step()
    follower.stop()
    assert (calls(follower), calls_in(store)) == (10, 60)


def test_a_shorter_copy_of_a_known_file_is_followed_from_where_it_was_read(store, path):
    """Nothing in it is new until it has grown beyond what was read."""
    path.write_bytes(log(range(50)))
    Importer(store, CATALOGUE).run(str(path))
    path.write_bytes(log(range(30)))
    follower = follower_of(store, path)
    follower.step()
    follower.stop()
    assert calls_in(store) == 50


def test_files_that_begin_alike_are_told_apart(store, path):
    """A bookmark whose file went on differently is not this one's."""
    path.write_bytes(log(range(30)) + log(range(100, 200)))
    Importer(store, CATALOGUE).run(str(path))
    path.write_bytes(log(range(30)) + log(range(300, 500)))
    follower = follower_of(store, path)
    follower.step()
    follower.stop()
    assert calls(follower) == 230


def test_steps_commit_at_their_pace_and_stopping_commits_the_rest(store, path):
    """A busy log does not make a transaction of every line."""
    path.write_bytes(log(range(10)))
    follower = follower_of(store, path, seconds=3600)
    follower.step()
    assert calls_in(store) == 0
    append(path, log(range(10, 15)))
    follower.step()
    follower.stop()
    assert calls_in(store) == 15
    assert [row.calls for row in queries.imports(store.connection)] == [15]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(log(range(3))), "is no plain file and cannot be followed"),
        (json.dumps({"items": [event()]}, indent=1).encode(), "does not grow by lines"),
    ],
)
def test_what_does_not_grow_by_lines_is_refused(store, path, data, message):
    """The message says to leave --follow out."""
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"{message}.*without --follow"):
        follower_of(store, path).step()


def test_a_file_that_never_was_is_refused(store, path):
    """A mistyped name is told at once instead of waited for."""
    with pytest.raises(InputError, match="cannot be read"):
        follower_of(store, path).step()
