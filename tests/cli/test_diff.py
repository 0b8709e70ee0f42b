"""`apisnoop diff` as people and pipelines use it."""

import csv
import json

import pytest

from apisnoop.errors import ExitCode
from tests.cli.reporting import run
from tests.coverage.recording import ALICE, Called

NODES = Called(ALICE, "GET", "/api/v1/nodes")
PODS = Called(ALICE, "GET", "/api/v1/pods")


@pytest.fixture
def sides(stored):
    return stored("a.db", [NODES]), stored("b.db", [PODS])


def test_changes_are_told_with_calls_and_callers(sides):
    """What is new has a plus, what is gone a minus; both say who called."""
    text = run("diff", *sides).stdout
    assert text.startswith("1 newly used, 1 no longer used\n")
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith(("+", "-"))}
    assert lines["+"][1:5] == ["GET", "/api/v1/pods", "0", "1"]
    assert lines["-"][1:5] == ["GET", "/api/v1/nodes", "1", "0"]
    assert "alice" in text


@pytest.mark.parametrize(("options", "code"), [([], ExitCode.OK), (["--exit-code"], ExitCode.FINDINGS)])
def test_differences_fail_only_if_asked(sides, options, code):
    """As with git diff, --exit-code makes differences end with 1."""
    assert run("diff", *sides, *options).exit_code == code


def test_no_difference_is_said_and_ends_with_0(sides):
    """A store compared with itself: nothing changed, also with --exit-code."""
    answer = run("diff", sides[0], sides[0], "--exit-code")
    assert answer.exit_code == ExitCode.OK
    assert answer.stdout.startswith("No difference: both make the same 1 kind of request")


@pytest.mark.parametrize("output", ["table", "wide", "json", "csv", "markdown"])
def test_every_format_names_both_stores(sides, output):
    """Each side's origin is in the report."""
    text = run("diff", *sides, "-o", output).stdout
    assert "a.db" in text
    assert "b.db" in text


def test_machines_get_every_change(sides):
    """JSON and CSV tell the same changes."""
    document = json.loads(run("diff", *sides, "-o", "json").stdout)
    assert [change["path"] for change in document["newly_used"]] == ["/api/v1/pods"]
    rows = csv.DictReader(
        line for line in run("diff", *sides, "-o", "csv").stdout.splitlines() if not line.startswith("#")
    )
    assert [(row["change"], row["path"]) for row in rows] == [
        ("newly used", "/api/v1/pods"),
        ("no longer used", "/api/v1/nodes"),
    ]


@pytest.mark.parametrize("output", ["table", "markdown", "csv"])
def test_what_both_sides_share_is_told_once(stored, sides, output):
    """Where they come from: the catalogue is one, the stores are two."""
    text = run("diff", *sides, "-o", output).stdout
    assert text.count("Kubernetes 1.36, shipped") == 1
    assert text.count("everything recorded") == 1
    assert [text.count(str(side)) for side in sides] == [2, 2]  # in the summary and as the store
    same = run("diff", sides[0], sides[0], "-o", output).stdout
    assert "both make the same 1 kind of request" in same
    assert same.count(str(sides[0])) == 3


def test_an_upgrade_is_judged_by_the_catalogue_named(stored, older):
    """`diff now.db now.db --spec 1.36` tells what 1.36 takes away from what is used today."""
    gone = Called(ALICE, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas")
    db = stored("now.db", [gone], older)
    text = run("diff", db, db, "--spec", "1.36").stdout
    assert "1 no longer served" in text
    assert "removed in 1.32" in run("diff", db, db, "--spec", "1.36", "-o", "wide").stdout


def test_an_empty_side_cannot_be_compared(stored, sides):
    """Exit code 3: nothing recorded is not nothing used."""
    answer = run("diff", sides[0], stored("empty.db", []))
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "empty.db holds no calls" in answer.stderr
    assert answer.stdout == ""


def test_a_missing_store_is_named(sides, tmp_path):
    """Exit code 3 and the file that there is not."""
    answer = run("diff", sides[0], tmp_path / "none.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "none.db" in answer.stderr


def test_a_store_that_is_not_there_is_told_with_a_way_out_that_exists(sides, tmp_path):
    """Stores stand on the command line here: `diff` has no --db to name one with."""
    answer = run("diff", sides[0], tmp_path / "gone.db")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr == (
        f"apisnoop: store {tmp_path}/gone.db does not exist: name one that does, "
        "or make it with --db of `apisnoop import`, `run` or `pull`\n"
    )
