"""The operation: one method on one path template of the Kubernetes API, with what its OpenAPI document says of it.

Only the value; reading documents is the business of `document`, finding an operation for a request that of
`catalogue`.
"""

from enum import StrEnum

import msgspec


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


class Operation(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
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
