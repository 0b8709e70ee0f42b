"""The operation: one method on one path template of the Kubernetes API, with what its OpenAPI document says of it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How settled an operation's API version is; an operation without a version (/version, /logs) counts as stable."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class Scope(StrEnum):
    """Where the operation acts."""

    CLUSTER = "cluster"
    NAMESPACED = "namespaced"
    NONE = "none"
    """Not about a resource: discovery, version, logs, OpenID."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a catalogue.

    `group`, `version`, `resource` and `subresource` are those of the path, which is what RBAC and the audit log use;
    `kind_group`, `kind_version` and `kind` are the x-kubernetes-group-version-kind, which differs for scale, eviction
    and token requests. Empty strings stand for "none": the core group, no subresource, no kind.
    """

    id: str
    method: str
    """Upper case HTTP method."""
    path: str
    """The template as in the document, e.g. /api/v1/namespaces/{namespace}/pods/{name}."""
    group: str
    version: str
    resource: str
    subresource: str
    kind_group: str
    kind_version: str
    kind: str
    action: str
    """x-kubernetes-action, or an empty string."""
    scope: Scope
    level: Level
    deprecated: bool
