"""OpenAPI documents: what is read of them, and what is said of those that cannot be."""

import gzip
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.operations.document import (
    OperationObject,
    Problem,
    level_of,
    make_operation,
    merge_documents,
    parse_document,
    release_of,
)
from apisnoop.operations.operation import Level, Operation, Scope

POD = "/api/v1/namespaces/{namespace}/pods/{name}"


def document(paths: dict[str, Any], **head: Any) -> dict[str, Any]:
    """A document with these paths."""
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.34.2"}, "paths": paths, **head}


def encode(value: object) -> bytes:
    """Write JSON."""
    return json.dumps(value).encode()


SCALE = {
    "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale": {
        "parameters": [{"name": "name", "in": "path", "required": True, "type": "string"}],
        "get": {
            "operationId": "readScale",
            "description": "a long text",
            "x-kubernetes-action": "get",
            "x-kubernetes-group-version-kind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
            "responses": {"200": {"description": "OK"}},
        },
    }
}


@pytest.mark.parametrize(
    "content",
    [
        encode(document(SCALE)),
        gzip.compress(encode(document(SCALE))),
        yaml.safe_dump(document(SCALE)).encode(),
        encode({**document(SCALE), "swagger": "", "openapi": "3.0.0"}),
        encode({**document(SCALE), "swagger": "", "openapi": "3.1.0"}),
    ],
    ids=["v2", "gzip", "yaml", "v3.0", "v3.1"],
)
def test_an_operation_is_read_with_all_its_facts(content: bytes) -> None:
    """JSON or YAML, packed or not, v2 or v3: the same operation comes out."""
    read = parse_document(content, "test")
    assert read.release == "1.34"
    assert read.problems == ()
    assert read.operations == (
        Operation(
            id="readScale",
            method="GET",
            path="/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale",
            group="apps",
            version="v1",
            resource="deployments",
            subresource="scale",
            kind_group="autoscaling",
            kind_version="v1",
            kind="Scale",
            action="get",
            scope=Scope.NAMESPACED,
            level=Level.STABLE,
            deprecated=False,
        ),
    )


@pytest.mark.parametrize(
    ("path", "group", "version", "resource", "scope"),
    [
        ("/api/v1/pods", "", "v1", "pods", Scope.CLUSTER),
        ("/api/v1/namespaces/{name}", "", "v1", "namespaces", Scope.CLUSTER),
        (POD, "", "v1", "pods", Scope.NAMESPACED),
        ("/api/v1/watch/namespaces/{namespace}/pods", "", "v1", "pods", Scope.NAMESPACED),
        ("/apis/batch/v1beta1/cronjobs", "batch", "v1beta1", "cronjobs", Scope.CLUSTER),
        ("/api/", "", "", "", Scope.NONE),
        ("/api/v1/", "", "v1", "", Scope.NONE),
        ("/apis/", "", "", "", Scope.NONE),
        ("/apis/batch/", "batch", "", "", Scope.NONE),
        ("/apis/batch/v1beta1/", "batch", "v1beta1", "", Scope.NONE),
        ("/version/", "", "", "", Scope.NONE),
        ("/", "", "", "", Scope.NONE),
    ],
)
def test_coordinates_come_from_the_path(path: str, group: str, version: str, resource: str, scope: Scope) -> None:
    """RBAC goes by the path, so do we; discovery has a group and a version, but no resource."""
    made = make_operation("GET", path, OperationObject())
    assert (made.group, made.version, made.resource, made.scope) == (group, version, resource, scope)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("v1", "stable"),
        ("v1beta1", "beta"),
        ("v2alpha10", "alpha"),
        ("", "stable"),
        ("alpha", "stable"),
        ("v1gamma", "stable"),
    ],
)
def test_the_version_says_the_level(version: str, level: str) -> None:
    """Anything that is not called alpha or beta counts as stable."""
    assert level_of(version) == level


@pytest.mark.parametrize(
    ("value", "deprecated"),
    [
        ({"deprecated": True}, True),
        ({"description": "watch changes. deprecated: use the 'watch' parameter"}, True),
        ({"description": "Deprecated: no more"}, True),
        ({"description": "list objects of kind DeprecatedThing"}, False),
        ({}, False),
    ],
)
def test_deprecation_is_a_field_or_a_word(value: dict[str, Any], deprecated: bool) -> None:
    """Kubernetes says it in the description only, others in the field."""
    read = parse_document(encode(document({"/api/v1/x": {"get": {"operationId": "x", **value}}})), "test")
    assert read.operations[0].deprecated is deprecated


@pytest.mark.parametrize(
    ("paths", "problem", "usable"),
    [
        ({"/a": {"get": {}}}, Problem("GET /a", "has no operationId; method and path stand in for it"), 1),
        ({"/a": 5}, Problem("/a", "cannot be read: Expected `object`, got `int`"), 0),
        ({"/a": {"get": []}}, Problem("/a", "cannot be read: Expected `object | null`, got `array` - at `$.get`"), 0),
        ({"a": {"get": {}}}, Problem("a", "does not begin with a slash"), 0),
        ({"/a": {"$ref": "other.json"}}, Problem("/a", "refers to another document, which is not followed"), 0),
        (
            {"/apis/{group}/{version}/{plural}": {"get": {"operationId": "x"}}},
            Problem("/apis/{group}/{version}/{plural}", "stands for any custom resource, not for one"),
            0,
        ),
        (
            {"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}},
            Problem("GET /b", "repeats the operationId x; method and path stand in for it"),
            2,
        ),
    ],
)
@pytest.mark.parametrize("write", [encode, lambda value: yaml.safe_dump(value).encode()], ids=["json", "yaml"])
def test_what_cannot_be_used_is_told(write: Any, paths: dict[str, Any], problem: Problem, usable: int) -> None:
    """One bad part does not spoil the rest, and is named."""
    read = parse_document(write(document({**paths, "/good": {"get": {"operationId": "good"}}})), "test")
    assert read.problems == (problem,)
    assert len(read.operations) == usable + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x is not an OpenAPI document: it holds no object"),
        (b"\x00\xff\xfe", "x is neither JSON nor YAML: JSON is malformed: invalid character (byte 0)"),
        (b'{"a": ', "x is neither JSON nor YAML: Input data was truncated"),
        (b"a: 1\n---\nb: 2\n", "x is not one OpenAPI document: it holds 2 YAML documents; split the file, and name"),
        (b'{"a": 1}\n{"b": 2}\n', "x is not one OpenAPI document: it holds more than one JSON value; split"),
        (b"a: [1\n", "x is neither JSON nor YAML: did not find expected ',' or ']' in line 2"),
        (b"a: " + b"[" * 99_999, "x is neither JSON nor YAML: nested deeper than 500 levels in line 1"),
        (b"- " * 99_999, "x is neither JSON nor YAML: nested deeper than 500 levels in line 1"),
        (b"[" * 99_999, "x is not an OpenAPI document: Expected `object`, got `array`"),
        (b"just words", "x is not an OpenAPI document: it holds no object"),
        (b"[]", "x is not an OpenAPI document: Expected `object`, got `array`"),
        (b"{}", "x is not an OpenAPI document: it lacks `paths`"),
        (b"a: 1", "x is not an OpenAPI document: it lacks `paths`"),
        (b"paths: []", "x is not an OpenAPI document: Expected `object | null`, got `array` - at `$.paths`"),
        (b'{"paths":{}}', "x is not an OpenAPI document: it lacks both `swagger` and `openapi`"),
        (b'{"swagger":"1.2","paths":{}}', "x is OpenAPI 1.2; only 2.0 and 3.x can be read"),
        (b'{"swagger":2,"paths":{}}', "x is not an OpenAPI document: Expected `str`, got `int` - at `$.swagger`"),
        (b"\x1f\x8bnot gzip", "x is a damaged gzip file"),
        (gzip.compress(b"{}" * 1000)[:-20], "x is a damaged gzip file"),
    ],
)
def test_what_is_not_openapi_is_refused_in_one_line(content: bytes, message: str) -> None:
    """The line names the document and what is wrong with it."""
    with pytest.raises(ValueError, match="x is") as caught:
        parse_document(content, "x")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


KEYS = st.sampled_from(["swagger", "paths", "/a", "get", "operationId"])
VALUES = st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(KEYS, inner))


@given(st.binary() | VALUES.map(encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """No input ends in anything but a document or ValueError."""
    try:
        outcome = repr(parse_document(content, "x"))
    except ValueError as error:
        outcome = str(error)
    assert outcome.startswith(("Document(", "x is"))


@pytest.mark.parametrize(
    ("version", "release"),
    [("v1.34.2", "1.34"), ("1.36", "1.36"), ("v1.30.0-rc.1+abc", "1.30"), ("unversioned", ""), ("", ""), ("v1", "")],
)
def test_a_version_has_a_release(version: str, release: str) -> None:
    """Major and minor number; anything else is none."""
    assert release_of(version) == release


def test_only_kubernetes_numbers_its_documents_by_release() -> None:
    """The document of custom resources says v0.1.0, which is no release of Kubernetes."""
    other = document({}, info={"title": "Kubernetes CRD Swagger", "version": "v0.1.0"})
    assert parse_document(encode(other), "x").release == ""


def test_documents_of_parts_are_joined() -> None:
    """Each group and version has its own in OpenAPI v3; what two of them describe counts once."""
    parts = [
        parse_document(encode(document({path: {"get": {"operationId": name}} for path, name in paths.items()})), "x")
        for paths in ({"/api/": "core", "/version/": "version"}, {"/apis/": "groups", "/version/": "again"}, {})
    ]
    joined = merge_documents(parts)
    assert [operation.id for operation in joined.operations] == ["core", "version", "groups"]
    assert joined.release == "1.34"
