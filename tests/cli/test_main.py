"""How the program ends, and what it is made of."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from apisnoop.cli.main import COMMAND_GROUP, cli

PROGRAM = Path(sys.executable).with_name("apisnoop")


def run(arguments: str, **how) -> subprocess.CompletedProcess[str]:
    """Run the installed program in a shell, which makes the pipes."""
    return subprocess.run(["bash", "-c", f"{PROGRAM} {arguments}"], text=True, capture_output=True, check=False, **how)


def test_a_full_output_is_one_line_and_no_finding():
    """Where standard output takes no more, the program says so and leaves with the code for what is unavailable."""
    ended = run("explain GET /api/v1/pods >/dev/full")
    assert ended.returncode == 3
    assert ended.stderr == "apisnoop: standard output cannot be written: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_failure():
    """`| head` is no finding: the program ends in silence with 0."""
    ended = run("spec show -o json | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("point", entry_points(group=COMMAND_GROUP), ids=lambda point: point.name)
def test_every_registered_verb_is_a_command(point):
    """What components register as a verb can be loaded and is listed."""
    assert isinstance(point.load(), click.Command)
    assert point.name in cli.list_commands(click.Context(cli))


def in_shell(script: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which `apisnoop` is the program."""
    line = f'apisnoop() {{ "{PROGRAM}" "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("word", "says"),
    [("uninstal", "; did you mean uninstall?"), ("cvoerage", "; did you mean coverage?"), ("xyz", "\n")],
)
def test_a_mistyped_command_comes_with_the_one_that_is_like_it(word, says):
    """As options do."""
    done = in_shell(f"apisnoop {word}")
    assert done.returncode == 2
    assert f"No such command {word!r}{says}" in done.stderr


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("apisnoop spec list >&-", 0),
        ("apisnoop explain - <&-", 0),
        ("apisnoop import - --db {}/a.db <&- >&-", 0),
        ("apisnoop spec show --spec nothing 2>&-", 3),
    ],
)
def test_a_program_can_be_started_without_standard_streams(tmp_path, script, code):
    """As daemons do; what is missing is empty."""
    done = in_shell(script.format(tmp_path))
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("apisnoop coverage --db {long}", "{long} cannot be used: File name too long; name another"),
        ("apisnoop explain GET /api --spec {long}", "{long} cannot be used: File name too long; name another"),
        (
            "cd $(mktemp -d) && rmdir $PWD && apisnoop import /dev/null /proc/cpuinfo --db a.db --format audit",
            "the current folder is gone; change to another",
        ),
        (
            "apisnoop coverage --db $'a\\nb'",
            (
                "store a\\nb does not exist: name one that does, "
                "or make it with --db of `apisnoop import`, `run` or `pull`"
            ),
        ),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(script, told):
    """Wherever it comes up, and whatever a name holds."""
    long = "x" * 300
    done = in_shell(script.format(long=long))
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].endswith(f": {told.format(long=long)}")
    assert "Traceback" not in done.stderr
