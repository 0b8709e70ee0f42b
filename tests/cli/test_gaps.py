"""`apisnoop gaps` as people and pipelines use it."""

import json

import pytest

from apisnoop.errors import ExitCode
from tests.cli.reporting import run
from tests.coverage.recording import ALICE, Called


@pytest.fixture
def endpoints(tmp_path):
    """Two tests for reading a pod, one for its log, none for anything else."""
    tests = {"readCoreV1NamespacedPod": ["a", "b"], "readCoreV1NamespacedPodLog": ["a"]}
    file = tmp_path / "endpoints.json"
    file.write_text(
        json.dumps([{"endpoint": name, "tests": [{"codename": t} for t in of]} for name, of in tests.items()])
    )
    return file


def test_gaps_are_ranked_with_what_tests_them(shop, endpoints):
    """What two tests call is left out, what one calls is named with it, the rest is untested."""
    document = json.loads(run("gaps", "--db", shop, "--tested", endpoints, "-o", "json").stdout)
    tests = {gap["id"]: gap["tests"] for gap in document["gaps"]}
    assert "readCoreV1NamespacedPod" not in tests
    assert tests["readCoreV1NamespacedPodLog"] == ["a"]
    assert tests["replaceCoordinationV1NamespacedLease"] == []
    assert document["tested"] == ["endpoints.json", "tests seen in the store"]


@pytest.mark.parametrize("output", ["table", "wide", "csv", "markdown"])
def test_people_get_the_same_ranking(shop, endpoints, output):
    """Every format has the operation, its caller and where it comes from."""
    text = run("gaps", "--db", shop, "--tested", endpoints, "-o", output).stdout
    assert "readCoreV1NamespacedPodLog" in text
    assert "alice" in text
    assert "endpoints.json" in text
    assert "Kubernetes 1.36" in text


def test_without_anything_tested_the_report_says_so(stored):
    """No operation is called untested; the next step is named."""
    text = run("gaps", "--db", stored("one.db", [Called(ALICE, "GET", "/api/v1/nodes")])).stdout
    assert text.startswith("1 operation used in the field; what is tested is not known")
    assert "--tested FILE" in text
    assert "untested" not in text.splitlines()[0]


def test_an_empty_store_has_no_gaps_and_says_why(stored):
    """Nothing recorded is told from nothing lacking."""
    empty = stored("empty.db", [])
    for output in ("table", "markdown"):
        assert "No calls are recorded" in run("gaps", "--db", empty, "-o", output).stdout
    assert "# EMPTY" in run("gaps", "--db", empty, "-o", "csv").stdout


def test_endpoints_that_the_catalogue_does_not_have_are_told(shop, endpoints):
    """A file of another release is used for what it knows; how much of it counts for nothing stands on stderr."""
    assert run("gaps", "--db", shop, "--tested", endpoints).stderr == ""
    endpoints.write_text(json.dumps([*json.loads(endpoints.read_text()), {"endpoint": "readFooV1Bar", "tests": None}]))
    answer = run("gaps", "--db", shop, "--tested", endpoints)
    assert answer.exit_code == ExitCode.OK
    assert answer.stderr.startswith("apisnoop: 1 endpoint of 3 in endpoints.json unknown to Kubernetes 1.36, shipped")
    assert answer.stderr.endswith("e.g. readFooV1Bar\n")


@pytest.mark.parametrize("listed", [[], [{"endpoint": "GET /api/v1/pods", "tests": None}]])
def test_a_file_of_endpoints_nobody_knows_is_an_error(shop, endpoints, listed):
    """Were it believed, everything would be untested."""
    endpoints.write_text(json.dumps(listed))
    answer = run("gaps", "--db", shop, "--tested", endpoints)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stdout == ""
    assert "endpoints.json: the file names no endpoint" in answer.stderr


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"not JSON", "JSON is malformed"),
        (b'{"a": 1}', "Expected `array`, got `object`"),
        (b"- endpoint: a\n---\n- endpoint: b\n", "it holds 2 YAML documents; one list of objects"),
        (b"\x1f\x8bnot gzip", "a damaged gzip file; name another file with --tested"),
    ],
)
def test_a_file_of_another_shape_is_an_input_error(shop, tmp_path, content, what):
    """Exit code 3 and one line that names the file and says what is wrong with it."""
    file = tmp_path / "wrong.json"
    file.write_bytes(content)
    answer = run("gaps", "--db", shop, "--tested", file)
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "wrong.json" in answer.stderr
    assert what in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_file_of_endpoints_that_is_not_there_is_told(shop, tmp_path):
    """In words, with the option that names it."""
    answer = run("gaps", "--db", shop, "--tested", tmp_path / "missing")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr == (
        f"apisnoop: tested endpoints {tmp_path}/missing cannot be read: No such file or directory; "
        "name another file with --tested\n"
    )
