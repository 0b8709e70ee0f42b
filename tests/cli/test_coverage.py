"""`apisnoop coverage` as people and pipelines use it."""

import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

from apisnoop.cli.coverage import FORMATS
from apisnoop.cli.report import terminal
from apisnoop.errors import ExitCode
from tests.cli.reporting import run
from tests.coverage.recording import ALICE, Called


def test_the_default_is_a_table_on_standard_output(shop):
    """Without options people get text, without colour since it is no terminal, and nothing on stderr."""
    answer = run("coverage", "--db", shop)
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith("Kubernetes 1.36: 8 of 908 operations hit")
    assert "\x1b" not in answer.stdout
    assert answer.stderr == ""


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_goes_to_a_file(shop, tmp_path, output):
    """-o with --output-file writes the same text that standard output would get, and prints nothing."""
    file = tmp_path / "report"
    answer = run("coverage", "--db", shop, "-o", output, "--output-file", file, "--by", "workload")
    assert (answer.exit_code, answer.output) == (ExitCode.OK, "")
    assert "1.36" in file.read_text()


@pytest.mark.parametrize(
    ("name", "options", "begin"),
    [
        ("report.html", (), "<!doctype html>"),
        ("report.HTML", (), "<!doctype html>"),
        ("report.json", (), "{"),
        ("report.csv", (), "# "),
        ("report.md", (), "## "),
        ("report.xml", (), "<?xml"),
        ("report.txt", (), "Kubernetes 1.36: "),
        ("report", (), "Kubernetes 1.36: "),
        ("report.html", ("-o", "json"), "{"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_the_name_of_a_file_tells_the_format(shop, tmp_path, name, options, begin, is_first):
    """Unless -o says otherwise, wherever it stands."""
    place = ("--output-file", tmp_path / name)
    answer = run("coverage", "--db", shop, *(place + options if is_first else options + place))
    assert (answer.exit_code, answer.output) == (ExitCode.OK, "")
    assert (tmp_path / name).read_text().lower().startswith(begin.lower())


@pytest.mark.parametrize(
    ("verb", "name", "there_are"),
    [("gaps", "gaps.html", "html, only table, wide, json, csv, markdown"), ("rbac", "roles.json", "json, only yaml")],
)
def test_a_name_that_tells_a_format_that_there_is_not_is_refused(shop, tmp_path, verb, name, there_are):
    """Nobody is left with a table in a file that a browser opens; -o says that it is meant so."""
    place = ("--output-file", tmp_path / name)
    answer = run(verb, "--db", shop, *place)
    assert answer.exit_code == ExitCode.USAGE
    assert f"{name}: there is no such report in the format {there_are}: say which" in " ".join(answer.stderr.split())
    assert not (tmp_path / name).exists()
    assert run(verb, "--db", shop, "-o", "yaml" if verb == "rbac" else "table", *place).exit_code == ExitCode.OK


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("verdict", [ExitCode.OK, ExitCode.FINDINGS])
def test_the_gate_decides_the_exit_code_in_every_format(shop, output, verdict):
    """The report is written either way; a failed rule is named on stderr and ends with 1."""
    least = "50" if verdict else "0.5"
    answer = run("coverage", "--db", shop, "-o", output, "--fail-under", least)
    assert answer.exit_code == verdict
    assert answer.stdout
    assert ("gate failed: --fail-under 50: 8 of 908" in answer.stderr) == bool(verdict)


def test_every_failed_rule_is_named(shop):
    """One line for each rule that failed, none for those that passed."""
    answer = run("coverage", "--db", shop, "--fail-on", "deprecated,removed,alpha")
    assert answer.exit_code == ExitCode.FINDINGS
    assert [line.split(":")[2].strip() for line in answer.stderr.splitlines()] == [
        "--fail-on removed",
        "--fail-on deprecated",
    ]


def test_nothing_recorded_cannot_pass_a_gate(stored):
    """An empty store is reported as empty, with 0; a gate on it fails."""
    empty = stored("empty.db", [])
    answer = run("coverage", "--db", empty)
    assert (answer.exit_code, "No calls are recorded" in answer.stdout) == (ExitCode.OK, True)
    assert run("coverage", "--db", empty, "--fail-under", "0").exit_code == ExitCode.FINDINGS
    assert run("coverage", "--db", empty, "--fail-on", "removed").exit_code == ExitCode.FINDINGS


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--fail-on", "unlisted"], "'unlisted' is none of deprecated, removed, invalid, alpha, beta"),
        (["--fail-on", "nonsense"], "'nonsense' is none of"),
        (["--fail-under", "101"], "101"),
        (["--by", "colour"], "colour"),
        (["-o", "pdf"], "pdf"),
        (["--count", "maybe"], "maybe"),
    ],
)
def test_a_bad_value_is_a_usage_error_that_names_it(shop, options, complaint):
    """Exit code 2, and the message has the value and what is accepted."""
    answer = run("coverage", "--db", shop, *options)
    assert answer.exit_code == ExitCode.USAGE
    assert complaint in answer.stderr


def test_a_missing_store_is_named(tmp_path):
    """Exit code 3, one line, the file and what makes one."""
    answer = run("coverage", "--db", tmp_path / "none.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr.count("\n") == 1
    assert "none.db" in answer.stderr
    assert not (tmp_path / "none.db").exists()


def test_an_output_file_that_cannot_be_written_is_named(shop, tmp_path):
    """Exit code 3 and the file's name, not a traceback."""
    answer = run("coverage", "--db", shop, "--output-file", tmp_path / "no" / "report.txt")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "report.txt cannot be written" in answer.stderr


def test_counting_any_answer_is_a_choice(shop):
    """--count any takes refused calls for hits; both numbers are in either report."""
    found = {
        count: json.loads(run("coverage", "--db", shop, "-o", "json", "--count", count).stdout)["summary"]["current"]
        for count in ("ok", "any")
    }
    assert found["ok"]["percent"] < found["any"]["percent"]
    assert (found["ok"]["ok"], found["ok"]["any"]) == (found["any"]["ok"], found["any"]["any"]) == (8, 9)


def test_the_catalogue_is_that_of_the_recording_unless_another_is_named(stored, older):
    """A store of 1.30 is held against 1.30; --spec 1.36 holds it against that and says so."""
    db = stored("old.db", [Called(ALICE, "GET", "/api/v1/pods")], older)
    assert run("coverage", "--db", db).stdout.startswith("Kubernetes 1.30: 1 of 769 operations")
    answer = run("coverage", "--db", db, "--spec", "1.36")
    assert answer.stdout.startswith("Kubernetes 1.36: 1 of 908 operations")
    assert "Recorded against 1.30, reported against 1.36" in answer.stdout


def test_a_window_narrows_the_report(shop):
    """--until an hour after the first call leaves out the later ones."""
    document = json.loads(run("coverage", "--db", shop, "-o", "json", "--until", "2026-06-01T10:00:00Z").stdout)
    assert document["origin"]["window"]["until"] == "2026-06-01T10:00:00Z"
    assert document["origin"]["calls"] == 966


def test_eligible_leaves_out_what_is_outside_conformance(shop):
    """The total is smaller by the 101 operations of the list, and the report says how many."""
    text = run("coverage", "--db", shop, "--eligible").stdout
    assert "of 807 eligible operations hit" in text
    assert "101 are left out, being outside conformance" in text


def test_colour_is_forced_by_the_environment_only(shop, monkeypatch):
    """FORCE_COLOR colours a pipe, NO_COLOR wins over it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("coverage", "--db", shop).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("coverage", "--db", shop).stdout


def test_what_goes_to_a_pipe_is_never_cut(stored, monkeypatch):
    """A program that reads the table gets names whole, whatever COLUMNS says of the terminal it was started from."""
    long = "a-program-with-a-very-long-name" * 5
    db = stored("long.db", [Called(type(ALICE)(client=long), "GET", "/api/v1/pods")])
    monkeypatch.setenv("COLUMNS", "40")
    text = run("coverage", "--db", db, "--by", "client").stdout
    assert long in text
    assert "listCoreV1PodForAllNamespaces" in text


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("abc", 80), ("", 80), ("0", 80), ("1", 1)])
def test_the_width_of_a_terminal_follows_the_environment(monkeypatch, columns, width):
    """COLUMNS sets the width of tables; a value that is none is ignored, as everywhere."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert terminal(None)[0] == width
    assert terminal(Path("report.txt"))[0] is None


class Terminal(StringIO):
    """A terminal that does not know its size."""

    def isatty(self):
        return True


def test_a_pipeline_reads_junit(shop):
    """The text is XML as a whole, with the rule that failed."""
    answer = run("coverage", "--db", shop, "-o", "junit", "--fail-on", "removed")
    root = ElementTree.fromstring(answer.stdout.encode())
    assert int(root.get("failures")) == 2
