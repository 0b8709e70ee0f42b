"""The documentation cannot drift from the program."""

import re
import subprocess
import sys
from pathlib import Path

import click

from apisnoop.cli.main import VERBS, cli
from apisnoop.errors import ExitCode

ROOT = Path(__file__).parent.parent


def test_the_command_reference_is_what_help_says():
    """docs/commands.md is byte for byte what scripts/build-docs would write now.

    In a process of its own: a click command that some test has called without its group keeps that call's help option.
    """
    printed = subprocess.run([sys.executable, "-m", "tests.reference"], cwd=ROOT, capture_output=True, check=True)
    assert (ROOT / "docs/commands.md").read_bytes() == printed.stdout, "run scripts/build-docs"


def test_the_line_of_help_of_each_verb_is_the_verbs_own():
    """The table that spares `--help` an import says what the command itself says."""
    context = click.Context(cli)
    for verb, (_, line) in VERBS.items():
        command = cli.get_command(context, verb)
        assert command is not None
        assert command.get_short_help_str(limit=200) == line


def test_every_verb_is_named_in_the_readme():
    """A command that the README or the page it links to does not mention does not exist."""
    documented = "".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    for verb in cli.list_commands(click.Context(cli)):
        assert re.search(rf"apisnoop {verb}\b", documented), f"apisnoop {verb} is not documented"


def test_the_exit_codes_are_documented():
    """The table in docs/exit-codes.md lists exactly the codes of ExitCode."""
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {code.name: code.value for code in ExitCode}


def test_links_between_pages_lead_somewhere():
    """Every relative link of a Markdown page names a file that exists."""
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("tests/*/README.md"),
    ]:
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
