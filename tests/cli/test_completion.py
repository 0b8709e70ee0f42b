"""Completion in the shells and through kubectl."""

import subprocess
import sys

import pytest

from apisnoop.cli.completion import FILES, NO_FILES, completions


def test_kubectl_is_offered_the_verbs_that_begin_like_the_word():
    """`kubectl apisnoop comp<TAB>` completes to the verb with its line of help, and offers no files."""
    lines, directive = completions([], "comp")
    assert lines == ["completion\tPrint the completion script of a shell."]
    assert directive == NO_FILES


def test_kubectl_is_offered_the_choices_of_an_argument():
    """The values of a choice are completed too."""
    assert completions(["completion"], "") == (["bash", "zsh", "fish"], NO_FILES)


def test_kubectl_falls_back_to_files_where_a_file_is_asked_for():
    """Where an argument is a file, kubectl is told to complete file names."""
    assert completions(["merge"], "")[1] == FILES


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_back_the_program(shell):
    """The printed script asks apisnoop itself for completions."""
    program = [sys.executable, "-c", "from apisnoop.cli.main import main; main()", "completion", shell]
    script = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert "_APISNOOP_COMPLETE" in script
