"""Reading OpenAPI documents, v2 and v3: from bytes to operations, and to a list of what could not be used.

Only facts are kept: paths, methods, ids, Kubernetes' extensions. Where the bytes come from is the business of
`source`.
"""

import gzip
import re
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from apisnoop.operations.operation import Level, Operation, Scope
from apisnoop.operations.request_info import locate, split_path

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LEVEL = re.compile(r"v\d+(alpha|beta)\d+")
_RELEASE = re.compile(r"v?(\d+\.\d+)(\.\d+)?([+-].*)?")
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST = 512 * 1024 * 1024
"""Bytes of an unpacked document; a thousand times a large cluster's is a mistake or an attack."""


class Kind(msgspec.Struct, frozen=True, gc=False):
    """x-kubernetes-group-version-kind."""

    group: str = ""
    version: str = ""
    kind: str = ""


class OperationObject(msgspec.Struct, frozen=True, gc=False):
    """What we read of an OpenAPI operation; https://spec.openapis.org/oas/v3.0.3#operation-object."""

    id: str = msgspec.field(default="", name="operationId")
    description: str = ""
    deprecated: bool = False
    action: str = msgspec.field(default="", name="x-kubernetes-action")
    kind: Kind | None = msgspec.field(default=None, name="x-kubernetes-group-version-kind")


class Info(msgspec.Struct, frozen=True, gc=False):
    """What we read of an OpenAPI document's head."""

    version: str = ""


class DocumentObject(msgspec.Struct, frozen=True):
    """What we read of an OpenAPI document."""

    swagger: str = ""
    openapi: str = ""
    info: Info = Info()
    paths: dict[str, Any] | None = None


class Problem(msgspec.Struct, frozen=True):
    """A part of a document that could not be used."""

    where: str
    """METHOD /path, or /path."""
    what: str


class Document(msgspec.Struct, frozen=True):
    """The usable contents of one OpenAPI document."""

    openapi: str
    """The OpenAPI version it claims, e.g. 2.0 or 3.0.0."""
    release: str
    """The Kubernetes release it says it describes, e.g. 1.34; empty where it does not say."""
    operations: tuple[Operation, ...]
    problems: tuple[Problem, ...]


def parse_document(content: bytes, name: str) -> Document:
    """Read an OpenAPI v2 or v3 document, as JSON or YAML, gzipped or not.

    `name` is what error messages call it. Raises ValueError, in one line, for anything that is not OpenAPI.
    """
    raw = _decode(_unpack(content, name), name)
    if raw.paths is None or not (raw.swagger or raw.openapi):
        raise ValueError(f"{name} is not an OpenAPI document: it lacks {_lacks(raw)}")
    if not (raw.swagger == "2.0" or raw.openapi.startswith("3.")):
        raise ValueError(f"{name} is OpenAPI {raw.swagger or raw.openapi}; only 2.0 and 3.x can be read")
    operations, problems = read_paths(raw.paths)
    return Document(raw.swagger or raw.openapi, release_of(raw.info.version), operations, problems)


def merge_documents(documents: Sequence[Document]) -> Document:
    """Join documents that describe parts of one API; of operations with one id or one place the first stays."""
    operations: dict[str, Operation] = {}
    places: set[tuple[str, str]] = set()
    for operation in (operation for document in documents for operation in document.operations):
        if operation.id not in operations and (operation.method, operation.path) not in places:
            operations[operation.id] = operation
            places.add((operation.method, operation.path))
    return Document(
        openapi=documents[0].openapi,
        release=next((document.release for document in documents if document.release), ""),
        operations=tuple(operations.values()),
        problems=tuple(problem for document in documents for problem in document.problems),
    )


def read_paths(paths: dict[str, Any]) -> tuple[tuple[Operation, ...], tuple[Problem, ...]]:
    """Make operations from a document's `paths`; what cannot be one is told as a problem."""
    operations: dict[str, Operation] = {}
    problems: list[Problem] = []
    for path, item in paths.items():
        complaint = _complain(path, item)
        if complaint:
            problems.append(Problem(path, complaint))
            continue
        for method, value in item.items():
            if method not in METHODS:
                continue
            where = f"{method.upper()} {path}"
            try:
                operation = make_operation(method.upper(), path, msgspec.convert(value, OperationObject))
            except msgspec.ValidationError as error:
                problems.append(Problem(where, f"cannot be read: {error}"))
                continue
            if operation.id == where:
                problems.append(Problem(where, "has no operationId; method and path stand in for it"))
            if operation.id in operations:
                problems.append(
                    Problem(where, f"repeats the operationId {operation.id}; method and path stand in for it")
                )
                operation = msgspec.structs.replace(operation, id=where)
            operations[operation.id] = operation
    return tuple(operations.values()), tuple(problems)


def make_operation(method: str, path: str, value: OperationObject) -> Operation:
    """Make an operation from its place in a document and its object there."""
    parts = split_path(path)
    place = locate(parts)
    kind = value.kind or Kind()
    group, version = (parts[place.group], parts[place.version]) if place else _group_version(parts)
    return Operation(
        id=value.id or f"{method} {path}",
        method=method,
        path=path,
        group=group,
        version=version,
        resource=parts[place.resource] if place else "",
        subresource=parts[place.subresource] if place else "",
        kind_group=kind.group,
        kind_version=kind.version,
        kind=kind.kind,
        action=value.action,
        scope=_scope(path) if place else Scope.NONE,
        level=level_of(version),
        # The watch operations say it in words only; no operation of Kubernetes sets the field.
        deprecated=value.deprecated or "deprecated:" in value.description.lower(),
    )


def level_of(version: str) -> Level:
    """Give the level of an API version by its name, e.g. v1beta1; anything else counts as stable."""
    found = _LEVEL.fullmatch(version)
    return Level(found[1]) if found else Level.STABLE


def release_of(version: str) -> str:
    """Give the release, e.g. 1.34, of a version like v1.34.2; empty where it is none."""
    found = _RELEASE.fullmatch(version)
    return found[1] if found else ""


def _unpack(content: bytes, name: str) -> bytes:
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name} is a damaged gzip file: {error}") from None


def _decode(content: bytes, name: str) -> DocumentObject:
    try:
        return msgspec.json.decode(content, type=DocumentObject)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name} is not an OpenAPI document: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _decode_yaml(content, name, json_error=str(error))


def _decode_yaml(content: bytes, name: str, json_error: str) -> DocumentObject:
    import yaml  # noqa: PLC0415  - slow to import, and rarely needed

    try:
        loaded = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe loaders
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise ValueError(f"{name} is neither JSON nor YAML: {json_error}") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{name} is not an OpenAPI document: {json_error}")  # noqa: TRY004 - a bad value, not a bad call
    try:
        return msgspec.convert(loaded, DocumentObject)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name} is not an OpenAPI document: {error}") from None


def _lacks(raw: DocumentObject) -> str:
    return "`paths`" if raw.paths is None else "both `swagger` and `openapi`"


def _complain(path: str, item: object) -> str:
    if not path.startswith("/"):
        return "does not begin with a slash"
    if not isinstance(item, dict):
        return "is not an object"
    if "$ref" in item:
        return "refers to another document, which is not followed"
    if "{group}" in path:
        return "stands for any custom resource, not for one"
    return ""


def _group_version(parts: list[str]) -> tuple[str, str]:
    """Give the group and version of a discovery path; empty strings for other paths that are not about a resource."""
    if parts[1] == "api":
        return "", parts[2] if len(parts) > 2 else ""
    if parts[1] == "apis" and len(parts) > 2:
        return parts[2], parts[3] if len(parts) > 3 else ""
    return "", ""


def _scope(path: str) -> Scope:
    return Scope.NAMESPACED if "/namespaces/{namespace}/" in path else Scope.CLUSTER
