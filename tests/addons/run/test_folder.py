"""The folder of a run, and that it does not outlive the run."""

import os
import signal
import subprocess
import sys

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.folder import remove_stale, run_folder, runtime_folder

HOLD = """
import sys, pathlib
from apisnoop_addons.run.folder import run_folder
with run_folder(pathlib.Path(sys.argv[1]), "it was killed: next step") as folder:
    (folder / "secret").write_text("s")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds a folder in tmp_path until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        yield process
        process.kill()


def test_it_is_for_the_user_alone_and_gone_afterwards(tmp_path):
    """Mode 0700, and nothing left at the end."""
    with run_folder(tmp_path, "m") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "a").write_text("a")
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_an_error(tmp_path):
    """Whatever is raised inside."""
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path, "m"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_guard_removes_it_when_the_run_is_killed(tmp_path, holder):
    """After SIGKILL the folder goes, and one line says what happened; reading stderr to its end awaits the guard."""
    holder.send_signal(signal.SIGKILL)
    assert holder.stderr.read().decode() == "it was killed: next step\n"
    assert list(tmp_path.iterdir()) == []


def test_the_guard_says_nothing_when_the_run_ends(tmp_path, holder):
    """An ordinary end is not its business."""
    _, error = holder.communicate()
    assert error == b""
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_and_its_guard_left_is_removed_by_the_next(tmp_path):
    """A folder whose lock nobody holds belongs to nobody."""
    stale = tmp_path / "apisnoop-run-stale"
    stale.mkdir()
    (stale / "lock").touch()
    (stale / "config").write_text("secret")
    with run_folder(tmp_path, "m") as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_of_a_run_that_lives_is_left_alone(tmp_path, holder):
    """Several runs go on side by side."""
    remove_stale(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_just_being_made_is_left_alone(tmp_path):
    """Before its lock has a name there is nothing to tell from."""
    (tmp_path / "apisnoop-run-new").mkdir()
    remove_stale(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_in_its_place_is_not_followed(tmp_path):
    """Nothing outside is removed."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "lock").touch()
    (tmp_path / "apisnoop-run-link").symlink_to(tmp_path / "precious")
    remove_stale(tmp_path)
    assert (tmp_path / "precious" / "lock").exists()


def test_the_users_runtime_folder_is_preferred(tmp_path, monkeypatch):
    """It is in memory and goes at logout; else it is the folder for temporary files."""
    monkeypatch.setattr("tempfile.tempdir", "/elsewhere")
    assert runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path
    assert os.fspath(runtime_folder({"XDG_RUNTIME_DIR": "/nowhere"})) == "/elsewhere"
    assert os.fspath(runtime_folder({})) == "/elsewhere"


def test_no_place_for_it_is_told(tmp_path):
    """One line with the folder and what to do."""
    with (
        pytest.raises(ApisnoopError, match=r"no folder can be made in /nowhere .*; set TMPDIR"),
        run_folder(tmp_path.__class__("/nowhere"), "m"),
    ):
        pass
