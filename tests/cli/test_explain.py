"""`apisnoop explain`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from apisnoop.cli.explain import Request, explain, explain_request, parse_lines, path_of, render_text
from apisnoop.operations.source import load_catalogue

KEYS = [
    *("method", "path", "operation", "verb", "detail", "group", "version", "resource", "subresource"),
    *("namespace", "name", "kind", "level", "deprecated", "reason"),
]
CATALOGUE = load_catalogue("1.34")


def call(*arguments: str, stdin: bytes = b"") -> Result:
    """Run the verb; its exit code is what it returns."""
    return CliRunner().invoke(explain, arguments, input=stdin, standalone_mode=False)


def test_an_operation_is_explained_for_people() -> None:
    """One thing a line, and only what there is."""
    result = call("GET", "/api/v1/namespaces/shop/pods?watch=true")
    assert result.output == (
        "GET /api/v1/namespaces/shop/pods?watch=true\n"
        "  operation   listCoreV1NamespacedPod\n"
        "  verb        watch\n"
        "  version     v1\n"
        "  resource    pods\n"
        "  namespace   shop\n"
        "  kind        Pod\n"
        "  level       stable\n"
        "\n"
    )
    assert result.return_value == 0


def test_json_has_every_key_in_order() -> None:
    """So that a line can be read by any tool without asking which keys there are."""
    result = call("-o", "json", "PATCH", "/apis/apps/v1/namespaces/n/deployments/web/scale", "--content-type", "application/apply-patch+yaml")  # fmt: skip  # noqa: E501
    explained = json.loads(result.output)
    assert list(explained) == KEYS
    assert explained == {
        "method": "PATCH",
        "path": "/apis/apps/v1/namespaces/n/deployments/web/scale",
        "operation": "patchAppsV1NamespacedDeploymentScale",
        "verb": "patch",
        "detail": "apply",
        "group": "apps",
        "version": "v1",
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "n",
        "name": "web",
        "kind": "Scale",
        "level": "stable",
        "deprecated": False,
        "reason": "",
    }


def test_a_finding_gives_its_class_and_reason() -> None:
    """The class comes first, so that it can be cut off."""
    explained = json.loads(call("-o", "json", "GET", "/apis/batch/v1beta1/namespaces/n/cronjobs").output)
    assert explained["reason"] == "removed: cronjobs of batch/v1beta1: removed in 1.25; use batch/v1"
    assert (explained["operation"], explained["level"], explained["verb"]) == ("", "beta", "list")


@pytest.mark.parametrize(
    ("method", "url", "lines"),
    [
        (
            "GET",
            "/api/v1/foos?x=y",
            [
                "GET /api/v1/foos?x=y",
                "  reason      unknown-path: foos of v1 is unknown to Kubernetes 1.36",
                "  reported as invalid, or unlisted where the server answered without an error",
            ],
        ),
        ("PUT", "/api/v1/pods", ["  reported as invalid, or unlisted where the server answered without an error"]),
        ("GET", "/apis/batch/v1beta1/cronjobs", ["  level       beta", "  reported as removed"]),
        ("GET", "/healthz", ["  reported as no finding"]),
    ],
)
def test_what_is_no_operation_is_named_as_reports_name_it(method: str, url: str, lines: list[str]) -> None:
    """The class that a report and --fail-on use stands beside the reason; a level only where one was ever known."""
    output = call(method, url).output.splitlines()
    assert [line for line in lines if line not in output] == []
    levels = [line for line in output if line.startswith("  level")]
    assert levels == [line for line in lines if line.startswith("  level")]


def test_a_legacy_watch_is_deprecated() -> None:
    """As its description says."""
    assert json.loads(call("-o", "json", "GET", "/api/v1/watch/pods").output)["deprecated"] is True
    assert "  deprecated  yes\n" in call("GET", "/api/v1/watch/pods").output


def test_lines_on_stdin_are_explained_one_by_one() -> None:
    """A third word is the content type; empty lines are left out."""
    lines = b"get /version\n\nPATCH https://host:6443/api/v1/nodes/n?x=1 application/json-patch+json\r\n"
    explained = [json.loads(line) for line in call("-o", "json", "-", stdin=lines).output.splitlines()]
    assert [(one["method"], one["path"], one["detail"]) for one in explained] == [
        ("GET", "/version", ""),
        ("PATCH", "/api/v1/nodes/n", "json-patch"),
    ]


def test_a_bad_line_is_told_and_does_not_stop_the_rest() -> None:
    """With its number; the exit code says that there was one."""
    result = call("-o", "json", "-", stdin=b"GET\nGET /version\nGET version\n\xff\xfe\x00 \x1b[31m\n" + b"x" * 70_000)
    assert result.return_value == 2
    assert json.loads(result.stdout)["operation"] == "getCodeVersion"
    said = result.stderr.splitlines()
    assert [line.partition(":")[2].partition(":")[0] for line in said] == [" line 1", " line 3", " line 4", " line 5"]
    assert all(line.isprintable() and len(line) < 700 for line in said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GET"], "METHOD 'GET' lacks its URL"),
        (["-", "/api"], "- reads requests from stdin; '/api' is one too many"),
        ([], "Missing parameter: method"),
        (["GET", "/api", "--spec", "1.99"], "--spec 1.99: release 1.99 is not in this package"),
    ],
)
def test_a_bad_command_line_is_refused(arguments: list[str], message: str) -> None:
    """In one line that says what is missing."""
    result = call(*arguments)
    assert message in str(getattr(result.exception, "message", "") or result.exception)
    assert result.exception is not None
    assert getattr(result.exception, "exit_code", None) == 2


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/api/v1/pods?a=b#c", "/api/v1/pods?a=b"),
        ("https://10.96.0.1:443/api/v1/pods?a=b", "/api/v1/pods?a=b"),
        ("https://host", "/"),
        ("/api/v1/namespaces/n/services/http://x", "/api/v1/namespaces/n/services/http://x"),
    ],
)
def test_scheme_and_host_are_taken_off(url: str, path: str) -> None:
    """A URL from a log or a browser can be pasted as it is."""
    assert path_of(url) == path


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("api/v1/pods?watch=1", "/api/v1/pods?watch=1"),
        ("localhost:6443/api/v1/pods", "https://localhost:6443/api/v1/pods"),
        ("/api//v1/pods", "/api/v1/pods"),
        ("https://host:6443//api/v1///pods", "/api/v1/pods"),
        ("/api/v1/pods", ""),
        ("https://host/api/v1/pods?continue=a//b", ""),
        ("https://host", ""),
    ],
)
def test_a_slip_in_a_url_is_pointed_out(url: str, meant: str) -> None:
    """What was meant is shown on stderr; the answer is still on what was given."""
    answer = call("GET", url)
    assert answer.stdout.startswith("GET ")
    assert answer.stderr.endswith(f"did you mean {meant}?\n") if meant else answer.stderr == ""


def test_what_cannot_be_printed_is_escaped() -> None:
    """A name must not speak to the terminal."""
    url = "/api/v1/nodes/a%1b%5b31m%00"
    shown = render_text(explain_request(CATALOGUE, Request("GET", url)), f"{url}?\x1b[31m")
    assert "\n  name        a\\x1b[31m\\x00\n" in shown
    assert all(line.isprintable() for line in shown.splitlines())


@given(st.binary() | st.lists(st.binary(), max_size=3).map(b" /".join))
@example(b"\x00\t/\x1b")
def test_any_bytes_on_stdin_are_answered(content: bytes) -> None:
    """Each line is a request or told to be none; whatever comes out can be printed and encoded."""
    for request in parse_lines(content.splitlines(keepends=True)):
        if isinstance(request, str):
            assert request.isprintable()
        else:
            explanation = explain_request(CATALOGUE, request)
            assert all(line.isprintable() for line in render_text(explanation, request.url).split("\n"))


def test_it_runs_as_a_program() -> None:
    """Through the entry point, on a pipe, with the right exit code."""
    program = Path(sys.executable).with_name("apisnoop")
    done = subprocess.run(
        [program, "explain", "-o", "json", "-"], input=b"GET /livez\nbad\n", capture_output=True, check=False
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["reason"] == "not-api: a health check, served beside the API"
    assert done.stderr.startswith(b"apisnoop: line 2: expected METHOD URL")
