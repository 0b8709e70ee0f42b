"""`apisnoop spec`."""

import builtins
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from apisnoop.cli.document_check import check_document, render_total, render_verdict
from apisnoop.cli.spec import spec
from apisnoop.operations.document import Problem
from apisnoop.operations.source import load_catalogue
from apisnoop.operations.yaml_text import DEEPEST
from cluster import ApiServer

GOOD: dict[str, Any] = {
    "openapi": "3.0.0",
    "info": {"title": "Kubernetes", "version": "v1.36.0"},
    "paths": {"/api/v1/pods": {"get": {"operationId": "listPods", "responses": {"200": {"description": "OK"}}}}},
}


def call(*arguments: str) -> Result:
    """Run the verb; its exit code is what it returns."""
    return CliRunner().invoke(spec, arguments, standalone_mode=False)


def test_the_shipped_catalogues_are_listed() -> None:
    """With their totals: operations, of which not deprecated, and these by level."""
    assert call("list").output == (
        "RELEASE  OPERATIONS  NOT DEPRECATED  ALPHA  BETA  STABLE\n"
        "1.30            944             769    137    41     591\n"
        "1.32            947             770     96    80     594\n"
        "1.34          1,062             859     81   126     652\n"
        "1.36          1,123             908     84   158     666\n"
    )


def test_a_list_may_be_json_lines() -> None:
    """One object a catalogue, with the digest that reports name."""
    listed = [json.loads(line) for line in call("list", "-o", "json").output.splitlines()]
    assert [one["release"] for one in listed] == ["1.30", "1.32", "1.34", "1.36"]
    assert listed[2]["digest"] == load_catalogue("1.34").digest
    assert (listed[2]["operations"], listed[2]["not_deprecated"]) == (1062, 859)


def test_a_catalogue_is_shown_by_group_and_version() -> None:
    """Its source and totals first."""
    shown = call("show", "--spec", "1.34").output
    assert shown.startswith("release         1.34\nsource          Kubernetes 1.34, shipped with apisnoop ")
    rows = [line.split() for line in shown.splitlines()]
    assert ["apps/v1", "5", "77", "62", "0", "0", "62"] in rows
    assert ["(neither)", "0", "7", "7", "0", "0", "7"] in rows


def test_a_catalogue_may_be_json_lines() -> None:
    """An operation a line, with all its facts."""
    lines = call("show", "--spec", "1.34", "-o", "json").output.splitlines()
    assert len(lines) == 1062
    pod = next(one for one in map(json.loads, lines) if one["id"] == "readCoreV1NamespacedPod")
    assert (pod["path"], pod["kind"], pod["scope"]) == (
        "/api/v1/namespaces/{namespace}/pods/{name}",
        "Pod",
        "namespaced",
    )


def test_a_good_document_is_fine(tmp_path: Path) -> None:
    """Packed or not; the exit code is 0."""
    path = tmp_path / "good.json.gz"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    result = call("check", str(path))
    assert result.output == f"{path}: OpenAPI 3.0.0, 1 operation, 1 not deprecated: fine\n"
    assert result.return_value == 0


def test_a_bad_document_is_taken_apart(tmp_path: Path) -> None:
    """What OpenAPI does not allow, and what we cannot use; the exit code is 1."""
    path = tmp_path / "bad.yaml"
    path.write_text("swagger: '2.0'\npaths:\n  /a:\n    get: {}\n  /b: 4\n")
    result = call("check", str(path))
    assert result.return_value == 1
    assert result.output.splitlines() == [
        f"{path}: OpenAPI 2.0, 1 operation, 1 not deprecated: 6 found",
        "  invalid  document  'info' is a required property",
        "  invalid  paths > /a > get  'responses' is a required property",
        "  invalid  paths > /b  4 is not of type 'object'",
        "  invalid  document  the validator gave up here: KeyError '/b'",
        "  unused  GET /a  has no operationId; method and path stand in for it",
        "  unused  /b  cannot be read: Expected `object`, got `int`",
    ]


def test_a_validator_that_falls_over_ends_nothing(tmp_path: Path) -> None:
    """However it does: what was found before, and what we cannot use, is told all the same."""
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**GOOD, "paths": {"/a": [1]}}))
    result = call("check", str(path))
    assert result.return_value == 1
    assert result.output.splitlines()[1:] == [
        "  invalid  paths > /a  [1] is not of type 'object'",
        "  invalid  document  the validator gave up here: AssertionError",
        "  unused  /a  cannot be read: Expected `object`, got `array`",
    ]


def test_what_is_nested_as_deeply_as_is_read_is_checked(tmp_path: Path) -> None:
    """Nothing on the way has less patience."""
    path = tmp_path / "deep.yaml"
    levels = DEEPEST - 1
    path.write_text(f"{json.dumps(GOOD)[:-1]}, \n x-deep: {'[' * levels}{']' * levels}}}")
    result = call("check", str(path))
    assert result.output == f"{path}: OpenAPI 3.0.0, 1 operation, 1 not deprecated: fine\n"


def test_every_document_of_a_folder_is_checked(tmp_path: Path) -> None:
    """One that is no OpenAPI does not stop the others; with -o json there is an object for each."""
    (tmp_path / "a.json").write_text("words")
    (tmp_path / "b.json").write_text(json.dumps(GOOD))
    result = call("check", "-o", "json", str(tmp_path))
    first, second = map(json.loads, result.output.splitlines())
    what = f"{tmp_path / 'a.json'} is not an OpenAPI document: it holds no object"
    assert first["findings"] == [{"kind": "invalid", "where": "document", "what": what, "count": 1}]
    assert second["findings"] == []
    assert result.return_value == 1


def test_default_values_do_not_spoil_a_document() -> None:
    """Every Kubernetes writes {} where its schema requires more; that is told, but is not our finding."""
    required = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    schemas = {"Spec": required, "Pod": {"properties": {"spec": {"default": {}, "allOf": [required]}}}}
    document = {**GOOD, "components": {"schemas": schemas}}
    verdict = check_document("x", json.dumps(document).encode())
    assert [(one.kind, one.what, one.count) for one in verdict.findings] == [
        ("default", "default values that do not fit their schemas", 1)
    ]
    assert render_verdict(verdict) == "x: OpenAPI 3.0.0, 1 operation, 1 not deprecated: fine"
    assert list(render_total([verdict, verdict])) == [
        "2 documents, 2 operations, 2 not deprecated: fine",
        "not counted: 2 default values in 2 documents do not fit their own schemas, as in every Kubernetes",
    ]


def test_equal_findings_are_told_once(tmp_path: Path) -> None:
    """With the first place and how many others there are; the last line says what all documents come to."""
    paths = {f"/{name}": {"get": {"operationId": name}} for name in "abc"}
    (tmp_path / "bad.json").write_text(json.dumps({**GOOD, "paths": paths}))
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    result = call("check", str(tmp_path))
    assert result.output.splitlines() == [
        f"{tmp_path}/bad.json: OpenAPI 3.0.0, 3 operations, 3 not deprecated: 3 found",
        "  invalid  paths > /a > get and 2 other places  'responses' is a required property",
        f"{tmp_path}/good.json: OpenAPI 3.0.0, 1 operation, 1 not deprecated: fine",
        "2 documents, 4 operations, 4 not deprecated: 3 found in 1 document",
    ]
    assert result.return_value == 1


def test_what_could_not_be_fetched_is_unused() -> None:
    """A part of a cluster's API may be out of reach."""
    verdict = check_document("x", Problem("/apis/down/v1", "cannot be read: the server answered 503"))
    assert [(one.kind, one.where) for one in verdict.findings] == [("unused", "/apis/down/v1")]


def test_a_missing_validator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra; the line says how to get it."""
    load = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("openapi_spec_validator"):
            raise ModuleNotFoundError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Exception, match=r"pip install 'apisnoop\[spec-check\]'"):
        check_document("x", json.dumps(GOOD).encode())


def test_a_missing_document_is_told() -> None:
    """In one line, with the exit code of what cannot be read."""
    result = call("check", "/nowhere/swagger.json")
    assert str(result.exception) == (
        "cannot read /nowhere/swagger.json: No such file or directory; name another file, or a URL"
    )
    assert getattr(result.exception, "exit_code", None) == 3


@pytest.mark.cluster
def test_a_real_cluster_is_fine(api_server: ApiServer) -> None:
    """All that a Kubernetes says of itself is valid and can be used."""
    result = call("check", "cluster", "--kubeconfig", str(api_server.kubeconfig))
    assert result.return_value == 0, result.output
    assert "api/v1: OpenAPI 3.0.0, 248 operations, 206 not deprecated: fine" in result.output
