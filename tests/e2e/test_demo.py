"""What `scripts/demo` says at its end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest

from apisnoop.errors import ApisnoopError
from e2e import demo


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (Path.cwd() / ".venv" / "bin" / "apisnoop", ".venv/bin/apisnoop"),
        (Path("/opt/bin/apisnoop"), "/opt/bin/apisnoop"),
    ],
)
def test_what_is_written_can_be_looked_into(monkeypatch, capsys, tmp_path, program, named):
    """The report proposes commands that begin with apisnoop, which is on nobody's PATH yet."""
    monkeypatch.setattr(demo, "APISNOOP", program)
    monkeypatch.setattr(demo, "OUTPUT", tmp_path)
    for name in ("report.html", "apisnoop.db"):
        (tmp_path / name).touch()
    demo.say_what_is_written()
    said = capsys.readouterr().out
    assert "apisnoop.db, report.html" in said
    assert f"after `. {Path(named).parent}/activate`):\n     {named} gaps --db {tmp_path}/apisnoop.db\n" in said


def test_without_a_store_nothing_is_proposed(monkeypatch, capsys, tmp_path):
    """Pods are recorded by the nodes, whose stores have gone with the cluster."""
    monkeypatch.setattr(demo, "OUTPUT", tmp_path)
    (tmp_path / "pods.html").touch()
    demo.say_what_is_written()
    assert capsys.readouterr().out == f"\nWritten to {tmp_path}: pods.html (.html: open it in a browser)\n"


def test_what_is_wrong_is_the_last_word_and_the_exit_code(capsys):
    """Whoever runs it in a script sees it, too."""
    assert demo.conclude(["something is wrong"], 61) == demo.DISAGREES
    assert capsys.readouterr().out.endswith("After 1 min 1 s, this is NOT as it should be:\n  - something is wrong\n")


def test_where_nothing_is_wrong_the_time_is_told(capsys):
    """The next run can be planned."""
    assert demo.conclude([], 185) == 0
    assert capsys.readouterr().out.endswith("(3 min 5 s).\n")


def test_what_failed_first_is_told_first():
    """Cleaning up afterwards may fail as well, and is seldom why."""
    first, second = OSError("no room"), RuntimeError("not cleaned")
    first.add_note("on the disk")
    second.__context__ = first
    assert list(demo.reasons(second)) == ["scripts/demo: no room", "on the disk", "scripts/demo: not cleaned"]


@pytest.mark.parametrize(
    "failure", [ApisnoopError("no answer"), msgspec.ValidationError("no answer"), OSError("no answer")]
)
def test_a_failure_is_told_without_a_traceback(monkeypatch, capsys, failure):
    """Of apisnoop, of an answer that cannot be decoded, of the system: a line, what may be why, and the exit code."""

    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(demo, "show", fail)
    monkeypatch.setattr(demo, "slowness", lambda _: ["too slow"])
    monkeypatch.setattr(demo.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["scripts/demo"])
    assert demo.main() == demo.FAILED
    assert capsys.readouterr().err == "scripts/demo: no answer\ntoo slow\n"


class Held:
    """In place of a cluster, which would take its time."""

    directory = Path("/var/tmp/0")
    stays = ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True

    def stay(self):
        self.stays = True


@pytest.fixture
def held(monkeypatch):
    """Have the demo start that."""
    made = Held()
    monkeypatch.setattr(demo.Cluster, "start", lambda **_: made)
    return made


def test_a_part_that_is_not_shown_keeps_its_files(held, monkeypatch, tmp_path):
    """What it left the last time is looked at in a browser, perhaps."""
    made = tmp_path / "demo-output"
    monkeypatch.setattr(demo, "OUTPUT", made)
    monkeypatch.setattr(demo.Programs, "build", lambda _: None)
    monkeypatch.setattr(demo, "create_robot", lambda *_: None)
    monkeypatch.setattr(held, "kubectl_path", Path("kubectl"), raising=False)
    for part, names in demo.FILES.items():
        write = partial(_write, names)
        monkeypatch.setitem(demo.PARTS, part, write)
    assert demo.show(["run", "inside"], keep=False) == 0
    everything = {path.name for path in made.iterdir()}
    (made / "pods.html").write_text("old")
    (made / "report.html").write_text("old")
    assert demo.show(["inside"], keep=False) == 0
    assert {path.name for path in made.iterdir()} == everything
    assert ((made / "report.html").read_text(), (made / "pods.html").read_text()) == ("old", "")


def _write(names, _cluster, _programs, _robot, output):
    for name in names:
        (output / name).touch(exist_ok=False)
    return []


@pytest.mark.parametrize("keep", [True, False])
def test_a_cluster_is_kept_for_whoever_asks_for_it(held, keep):
    """And ends for everybody else."""
    with demo.held_cluster(keep=keep):
        pass
    assert (held.stays, held.ended) == (keep, not keep)


def test_a_demo_that_fails_keeps_no_cluster(held):
    """Nothing has said where it is."""
    with pytest.raises(RuntimeError), demo.held_cluster(keep=True):
        raise RuntimeError
    assert (held.stays, held.ended) == (False, True)
