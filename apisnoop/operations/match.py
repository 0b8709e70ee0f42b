"""The result of holding one request against a catalogue: which operation it is, or why it is none.

Finding it is the business of `catalogue`; this module only says what an answer looks like.
"""

from enum import StrEnum

import msgspec

from apisnoop.operations.operation import Operation


class Finding(StrEnum):
    """Why a request is no operation of the catalogue. Only `NOT_API` is not an error of the caller."""

    UNKNOWN_PATH = "unknown-path"
    UNKNOWN_GROUP_VERSION = "unknown-group-version"
    REMOVED = "removed"
    """Known from another release's catalogue, not served in this one."""
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_API = "not-api"
    """Health, metrics, OpenAPI documents: served, but never part of an OpenAPI document."""


class Match(msgspec.Struct, frozen=True, gc=False):
    """What one request asked for.

    Exactly one of `operation` and `finding` is set. `verb` is the API server's own request-info verb, also for requests
    that match no operation; `detail` is what coverage needs beyond it. The resource coordinates are those RBAC uses and
    are filled for unknown resources too. All strings may be empty, meaning "none".
    """

    operation: Operation | None
    finding: Finding | None
    verb: str
    """get, list, watch, create, update, patch, delete, deletecollection, proxy; for non-resource requests the lower case HTTP method."""
    detail: str
    """Comma-joined, in a fixed order, of: apply, json-patch, merge-patch, strategic-merge-patch, dry-run, connect,
    head, options, watch-by-field-selector; often empty."""
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str
    template: str
    """Path template: the operation's own, or for a finding one made from the path with names replaced."""
    reason: str = ""
    """For a finding: one sentence for a person (removed when, replaced by what)."""
