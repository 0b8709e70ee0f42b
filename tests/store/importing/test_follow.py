"""Following growing files."""

import gzip
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.inputs.errors import InputError
from apisnoop.store import queries
from apisnoop.store.importing.follow import Follower
from apisnoop.store.importing.importer import Importer, Settings
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import REWRITTEN
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, event, line, log
from tests.store.contents import calls_in


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


def lost_between(store):
    return sum(row.count for row in queries.losses(store.connection) if row.reason == REWRITTEN)


@pytest.mark.parametrize("lines", [5, 20, 21, 500])
def test_a_file_refilled_between_two_reads_is_read_from_its_start(store, path, lines):
    """Its size may be what it was, or more: what lies before the place tells; and lines in between may be missing."""
    path.write_bytes(log(range(20)))
    follower = follower_of(store, path)
    follower.step()
    append(path, log(range(20, 25)))  # never seen by the follower
    path.with_suffix(".copy").write_bytes(path.read_bytes())
    path.write_bytes(log(range(100, 100 + lines)))
    follower.step()
    follower.step()
    follower.stop()
    assert calls_in(store) == 20 + lines
    assert lost_between(store) == 1
    assert follower.outcomes[0].gap.startswith("it was emptied and written anew while it was followed: lines written")
    assert Importer(store, CATALOGUE).run(str(path.with_suffix(".copy"))).calls == 5


def test_half_a_line_at_the_time_of_a_refill_is_no_line(store, path):
    """It is told, and is not put together with what the file holds now."""
    path.write_bytes(log(range(3)) + line(3)[:80])
    follower = follower_of(store, path)
    follower.step()
    path.write_bytes(line(10)[:80] + line(10)[80:] + log(range(11, 15)))
    follower.step()
    follower.step()
    follower.stop()
    assert calls_in(store) == 8
    assert follower.outcomes[0].problem == "it ends in the middle of line 4 (80 bytes not counted)"
    assert [outcome.bad for outcome in follower.outcomes] == [{}, {}]


def test_a_file_refilled_with_the_same_beginning_is_another(store, path):
    """A bookmark of the same beginning is not this file's, if what lies before its position differs."""
    path.write_bytes(log(range(30)) + log(range(100, 200)))
    follower = follower_of(store, path)
    follower.step()
    path.write_bytes(log(range(30)) + log(range(300, 500)))
    follower.step()
    follower.step()
    follower.stop()
    assert [outcome.calls for outcome in follower.outcomes] == [130, 230]


def test_a_shorter_copy_that_grows_differently_is_another_file(store, path):
    """As long as it is shorter than what is known, nobody can tell; then it is."""
    path.write_bytes(log(range(50)))
    Importer(store, CATALOGUE).run(str(path))
    path.write_bytes(log(range(30)))
    follower = follower_of(store, path)
    follower.step()
    assert calls_in(store) == 50
    append(path, log(range(200, 260)))
    follower.step()
    follower.step()
    follower.stop()
    assert calls_in(store) == 140
    assert lost_between(store) == 1


class Writer:
    """A program that logs, and a logrotate that moves its log in both ways; all that was ever written is in `files`."""

    def __init__(self, path):
        self.path = path
        self.files = [path]
        self.written = 0
        path.touch()

    def write(self, follower, *, pausing):
        """Write some lines; the last one in two halves, if `pausing`, between which the follower looks."""
        data = log(range(self.written, self.written + 3))
        self.written += 3
        append(self.path, data[:-60])
        if pausing:
            follower.step()
        append(self.path, data[-60:])

    def rename(self):
        """Rotate as a program does that opens a new file."""
        self.path.rename(self._next())
        self.path.touch()

    def copy(self):
        """Rotate as `copytruncate` does."""
        self._next().write_bytes(self.path.read_bytes())
        os.truncate(self.path, 0)

    def _next(self):
        self.files.append(self.path.with_suffix(f".{len(self.files)}"))
        return self.files[-1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["write", "pause", "step", "rename", "copy"]), max_size=25))
def test_whatever_rotates_every_line_counts_once(tmp_path_factory, deeds):
    """A log is followed through both rotations, in any order; with the rotated files imported, nothing is missing."""
    writer = Writer(tmp_path_factory.mktemp("rotate") / "audit.log")
    with Store.open(":memory:") as store:
        follower = follower_of(store, writer.path)
        for deed in deeds:
            match deed:
                case "write" | "pause":
                    writer.write(follower, pausing=deed == "pause")
                case "step":
                    follower.step()
                case _:
                    getattr(writer, deed)()
        follower.stop()
        for file in writer.files:
            Importer(store, CATALOGUE).run(str(file))
        assert calls_in(store) == writer.written


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
