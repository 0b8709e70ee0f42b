"""Completion in the shells and through kubectl."""

import subprocess
import sys

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from apisnoop.cli.completion import FILES, NO_FILES, completion, completions
from apisnoop.cli.main import cli
from apisnoop.operations.shipped import shipped


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


def values(*arguments):
    """Complete the last of the words; give the values, and whether files are offered."""
    lines, directive = completions(list(arguments[:-1]), arguments[-1])
    return [line.partition("\t")[0] for line in lines], directive == FILES


@pytest.mark.parametrize(
    "words",
    [
        ("import", ""),
        ("import", "a.log", "b"),
        ("spec", "check", ""),
        ("coverage", "--spec", "./"),
        ("run", "--", "./my"),
        ("run", "--", "kubectl", ""),
    ],
)
def test_files_are_offered_where_files_are_meant(words):
    """Recordings, OpenAPI documents, and the arguments of the command that is run."""
    assert values(*words) == ([], True)


def test_a_catalogue_is_a_release_or_the_cluster_or_a_file():
    """Releases are offered before anything is typed, and those that fit afterwards."""
    assert values("coverage", "--spec", "") == ([*shipped().releases, "cluster"], False)
    assert values("coverage", "--spec", "1.34") == (["1.34"], False)
    assert values("spec", "check", "cl") == (["cluster"], False)


def test_classes_of_a_gate_are_offered_one_after_another():
    """What is in the list stays, and is not offered again."""
    assert values("coverage", "--fail-on", "") == (["deprecated", "removed", "invalid", "alpha", "beta"], False)
    assert values("coverage", "--fail-on", "beta,de") == (["beta,deprecated"], False)
    assert values("coverage", "--fail-on", "beta,be") == ([], False)


def test_contexts_come_from_the_kubeconfig(tmp_path, monkeypatch):
    """From that of --kubeconfig, else from all that KUBECONFIG names; a file that is none offers nothing."""
    for name, contexts in (("one", "[{name: shop}, {name: staging}]"), ("two", "[{name: prod}]")):
        (tmp_path / name).write_text(f"apiVersion: v1\nkind: Config\ncontexts: {contexts}\n")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'one'}:{tmp_path / 'missing'}:{tmp_path / 'two'}")
    assert values("coverage", "--context", "") == (["prod", "shop", "staging"], False)
    assert values("coverage", "--context", "s") == (["shop", "staging"], False)
    assert values("run", "--kubeconfig", str(tmp_path / "two"), "--context", "") == (["prod"], False)
    for noise in (b"", b"[1, 2]", b"contexts: 7", b"contexts: [x]", b"\xff\x00", b"contexts: [{name: {}}]", b"{"):
        (tmp_path / "one").write_bytes(noise)
        assert values("coverage", "--kubeconfig", str(tmp_path / "one"), "--context", "") == ([], False)


def test_programs_are_offered_after_run(tmp_path, monkeypatch):
    """The first word of the command is a program on the PATH, with and without the two dashes before it."""
    for name, mode in (("kubectl", 0o755), ("kubectx", 0o755), ("kube.conf", 0o644)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    monkeypatch.setenv("PATH", f"{tmp_path}:{tmp_path / 'missing'}")
    assert values("run", "--", "kube") == (["kubectl", "kubectx"], False)
    assert values("run", "kubec") == (["kubectl", "kubectx"], False)


def test_bash_completes_as_it_is_set_up(monkeypatch):
    """The script's own way of asking: the words of the line in the environment."""
    monkeypatch.setenv("COMP_WORDS", "apisnoop coverage --fail-on beta,al")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert BashComplete(cli, {}, "apisnoop", "_APISNOOP_COMPLETE").complete() == "plain,beta,alpha"


def test_fish_keeps_what_stands_behind_a_comma():
    """Its script splits only the kind from the value."""
    script = CliRunner().invoke(completion, ["fish"]).output
    assert 'string split --max 1 "," $completion' in script


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_back_the_program(shell):
    """The printed script asks apisnoop itself for completions."""
    program = [sys.executable, "-c", "from apisnoop.cli.main import main; main()", "completion", shell]
    script = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert "_APISNOOP_COMPLETE" in script
