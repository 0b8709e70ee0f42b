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
