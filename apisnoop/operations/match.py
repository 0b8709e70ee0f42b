"""The result of holding one request against a catalogue: which operation it is, or why it is none.

Finding it is the business of `catalogue`; this module only says what an answer looks like. The answer comes in two
parts: what is the same for every request of its kind (`Target`, made once) and what differs (`Match`, made per
request).
"""

from enum import StrEnum

import msgspec

from apisnoop.operations.operation import Operation


class Finding(StrEnum):
    """Why a request is no operation of the catalogue. Only `NOT_API` is not an error of the caller."""

    UNKNOWN_PATH = "unknown-path"
    UNKNOWN_GROUP_VERSION = "unknown-group-version"
    REMOVED = "removed"
    """Known from another release, no longer served in this one."""
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_API = "not-api"
    """Health, metrics, OpenAPI documents: served, but never part of an OpenAPI document."""


class Target(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What requests of one kind are aimed at: an operation, or something that is none.

    Exactly one of `operation` and `finding` is set. The resource coordinates are those RBAC uses and are filled for
    unknown resources too. All strings may be empty, meaning "none". A catalogue makes one object per operation, and the
    hash is kept, so a target is a cheap key.
    """

    operation: Operation | None
    finding: Finding | None
    method: str
    """Upper case HTTP method; OTHER for anything that HTTP does not define."""
    template: str
    """Path template: the operation's own, or for a finding one made from the path with names replaced."""
    group: str
    version: str
    resource: str
    subresource: str
    reason: str = ""
    """For a finding: one sentence for a person (removed when, replaced by what)."""


class Match(msgspec.Struct, frozen=True, gc=False):
    """What one request asked for. All strings may be empty, meaning "none"."""

    target: Target
    verb: str
    """The API server's own: get, list, watch, create, update, patch, delete, deletecollection, proxy. For non-resource
    requests the lower case HTTP method; empty where the server knows none (OPTIONS on a resource)."""
    detail: str
    """Comma-joined, in this order: apply, json-patch, merge-patch or strategic-merge-patch; dry-run;
    connect-<subresource>; head or options; watch-by-field-selector. Often empty."""
    namespace: str
    """The target namespace; for a request on a namespace object, that namespace, as the API server has it."""
    name: str

    @property
    def operation(self) -> Operation | None:
        """The operation, or None for a finding."""
        return self.target.operation

    @property
    def finding(self) -> Finding | None:
        """The class of why there is no operation, or None."""
        return self.target.finding

    @property
    def method(self) -> str:
        """Upper case HTTP method, or OTHER."""
        return self.target.method

    @property
    def template(self) -> str:
        """The path template, with names replaced by placeholders."""
        return self.target.template

    @property
    def group(self) -> str:
        """API group of the path; empty for the core group and for non-resource requests."""
        return self.target.group

    @property
    def version(self) -> str:
        """API version of the path."""
        return self.target.version

    @property
    def resource(self) -> str:
        """Resource as RBAC names it, e.g. pods."""
        return self.target.resource

    @property
    def subresource(self) -> str:
        """Subresource as RBAC names it, e.g. exec."""
        return self.target.subresource

    @property
    def reason(self) -> str:
        """For a finding: one sentence for a person."""
        return self.target.reason
