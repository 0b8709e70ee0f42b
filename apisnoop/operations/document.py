"""Reading OpenAPI documents, v2 and v3: from bytes to operations, and to a list of what could not be used.

Only facts are kept: paths, methods, ids, Kubernetes' extensions. Where the bytes come from is the business of
`source`.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from apisnoop.decoding import convert, decoder_of
from apisnoop.operations.operation import Level, Operation, Scope
from apisnoop.operations.request_info import locate, split_path
from apisnoop.operations.several import say_if_several, why_unreadable
from apisnoop.operations.yaml_text import load_yaml

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_LEVEL = re.compile(r"v\d+(alpha|beta)\d+")
_RELEASE = re.compile(r"v?(\d+\.\d+)(\.\d+)?([+-].*)?")
_GZIP_MAGIC = b"\x1f\x8b"


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


class PathItem(msgspec.Struct, frozen=True, gc=False):
    """What we read of an OpenAPI path item: its operations by method."""

    get: OperationObject | None = None
    put: OperationObject | None = None
    post: OperationObject | None = None
    delete: OperationObject | None = None
    options: OperationObject | None = None
    head: OperationObject | None = None
    patch: OperationObject | None = None
    trace: OperationObject | None = None
    reference: str = msgspec.field(default="", name="$ref")


class Info(msgspec.Struct, frozen=True, gc=False):
    """What we read of an OpenAPI document's head."""

    title: str = ""
    version: str = ""


class _Head(msgspec.Struct, frozen=True):
    swagger: str = ""
    openapi: str = ""
    info: Info = Info()


class _JsonDocument(_Head, frozen=True):
    """Its path items are left undecoded, so that a bad one spoils only itself."""

    paths: dict[str, msgspec.Raw] | None = None


class _YamlDocument(_Head, frozen=True):
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
    head, paths = _decode(unpack(content, name), name)
    if paths is None or not (head.swagger or head.openapi):
        lacks = "`paths`" if paths is None else "both `swagger` and `openapi`"
        raise ValueError(f"{name} is not an OpenAPI document: it lacks {lacks}")
    if not (head.swagger == "2.0" or head.openapi.startswith("3.")):
        raise ValueError(f"{name} is OpenAPI {head.swagger or head.openapi}; only 2.0 and 3.x can be read")
    operations, problems = read_paths(paths)
    # Others number their own documents: that of custom resources says v0.1.0.
    release = release_of(head.info.version) if head.info.title == "Kubernetes" else ""
    return Document(head.swagger or head.openapi, release, operations, problems)


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


def read_paths(paths: Mapping[str, PathItem | str]) -> tuple[tuple[Operation, ...], tuple[Problem, ...]]:
    """Make operations from path items; a string in place of one says why it could not be read.

    What cannot be an operation is told as a problem.
    """
    operations: dict[str, Operation] = {}
    problems: list[Problem] = []
    for path, item in paths.items():
        complaint = _complain(path, item)
        if complaint or isinstance(item, str):
            problems.append(Problem(path, complaint))
            continue
        for method in METHODS:
            value: OperationObject | None = getattr(item, method)
            if value is not None:
                operation, complaints = _new_operation(operations, method.upper(), path, value)
                operations[operation.id] = operation
                problems += complaints
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


def unpack(content: bytes, name: str) -> bytes:
    """Undo gzip, if it is; raises ValueError where that fails."""
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise ValueError(f"{name} is a damaged gzip file; fetch it again, or name another one") from None


def _decode(content: bytes, name: str) -> tuple[_Head, dict[str, PathItem | str] | None]:
    try:
        document = decoder_of(_JsonDocument).decode(content)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name} is not an OpenAPI document: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _decode_yaml(content, name, error)
    if document.paths is None:
        return document, None
    return document, {path: _read(_decode_item, item) for path, item in document.paths.items()}


def _decode_yaml(content: bytes, name: str, json_error: Exception) -> tuple[_Head, dict[str, PathItem | str] | None]:
    import yaml  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        loaded = load_yaml(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(_unreadable(content, name, json_error, error)) from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{name} is not an OpenAPI document: it holds no object")  # noqa: TRY004 - a bad value
    try:
        document = convert(loaded, _YamlDocument)
    except msgspec.ValidationError as error:
        raise ValueError(f"{name} is not an OpenAPI document: {error}") from None
    if document.paths is None:
        return document, None
    return document, {path: _read(_convert_item, item) for path, item in document.paths.items()}


def _unreadable(content: bytes, name: str, json_error: Exception, yaml_error: Exception) -> str:
    if several := say_if_several(content, json_error):
        return f"{name} is not one OpenAPI document: {several}; split the file, and name the folder of its parts"
    return f"{name} is neither JSON nor YAML: {why_unreadable(content, json_error, yaml_error)}"


def _decode_item(item: msgspec.Raw) -> PathItem:
    return decoder_of(PathItem).decode(item)


def _convert_item(item: object) -> PathItem:
    return convert(item, PathItem)


def _read[Item](read: Callable[[Item], PathItem], item: Item) -> PathItem | str:
    try:
        return read(item)
    except msgspec.DecodeError as error:
        return f"cannot be read: {error}"


def _complain(path: str, item: PathItem | str) -> str:
    if isinstance(item, str):
        return item
    if not path.startswith("/"):
        return "does not begin with a slash"
    if item.reference:
        return "refers to another document, which is not followed"
    if "{group}" in path:
        return "stands for any custom resource, not for one"
    return ""


def _new_operation(
    known: Mapping[str, Operation], method: str, path: str, value: OperationObject
) -> tuple[Operation, list[Problem]]:
    """Make an operation whose id none of the known ones has."""
    operation = make_operation(method, path, value)
    place = f"{method} {path}"
    if not value.id:
        return operation, [Problem(place, "has no operationId; method and path stand in for it")]
    if value.id in known:
        problem = Problem(place, f"repeats the operationId {value.id}; method and path stand in for it")
        return msgspec.structs.replace(operation, id=place), [problem]
    return operation, []


def _group_version(parts: list[str]) -> tuple[str, str]:
    """Give the group and version of a discovery path; empty strings for other paths that are not about a resource."""
    if parts[1] == "api":
        return "", parts[2] if len(parts) > 2 else ""
    if parts[1] == "apis" and len(parts) > 2:
        return parts[2], parts[3] if len(parts) > 3 else ""
    return "", ""


def _scope(path: str) -> Scope:
    return Scope.NAMESPACED if "/namespaces/{namespace}/" in path else Scope.CLUSTER
