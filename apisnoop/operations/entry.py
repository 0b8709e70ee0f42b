"""What is known of a request as soon as its template and method are: everything but names and the query's part.

Made once for each operation when a catalogue is; the matcher then only fills in. Here too is what query and content
type add: a list that is a watch, a patch that is an apply, a change that is a dry run.
"""

from enum import IntEnum

import msgspec

from apisnoop.operations.match import Match, Target
from apisnoop.operations.operation import Operation
from apisnoop.operations.query import hides_keys, is_dry_run, is_watch, parse_query, selected_name
from apisnoop.operations.request_info import Place, locate, split_path, verb_of

PATCH_DETAILS = {
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+cbor": "apply",
    "application/json-patch+json": "json-patch",
    "application/merge-patch+json": "merge-patch",
    "application/strategic-merge-patch+json": "strategic-merge-patch",
}
_METHOD_DETAILS = {"HEAD": "head", "OPTIONS": "options"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Reads(IntEnum):
    """What must be looked at beyond path and method."""

    NOTHING = 0
    LIST_OPTIONS = 1
    """The query, for watch and the field selector."""
    DRY_RUN = 2
    """The query, for dryRun."""
    PATCH_TYPE = 3
    """The content type, and the query for dryRun."""


_NOTHING, _LIST_OPTIONS, _, _PATCH_TYPE = Reads  # names that are found faster


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What all requests with one method on one template share."""

    target: Target
    verb: str
    detail: str
    reads: Reads
    place: Place | None
    open_ended: bool
    """The template leaves group, resource or subresource open, so each request has a target of its own."""


Leaf = dict[str, Entry]
"""The entries of one template by method."""


def entry_of(operation: Operation) -> Entry:
    """Make the entry of an operation, reading its template as the server reads a path."""
    parts = split_path(operation.path)
    place = locate(parts)
    target = Target(
        operation,
        None,
        operation.method,
        operation.path,
        operation.group if place else "",
        operation.version if place else "",
        operation.resource,
        operation.subresource,
    )
    verb = verb_of(operation.method, place, named=bool(place and place.name))
    connects = operation.action == "connect"
    return Entry(
        target=target,
        verb=verb,
        detail=join_details(f"connect-{operation.subresource}" if connects else "", detail_of(operation.method)),
        reads=Reads.NOTHING if connects else reads_of(operation.method, place, verb),
        place=place,
        open_ended=place is not None
        and any(parts[at].startswith("{") for at in (place.group, place.version, place.resource, place.subresource)),
    )


def reads_of(method: str, place: Place | None, verb: str) -> Reads:
    """Tell what of a request besides path and method decides on its verb and detail."""
    if place is None or place.special_verb:
        return Reads.NOTHING
    if verb in {"list", "watch"}:
        return Reads.LIST_OPTIONS
    if method == "PATCH":
        return Reads.PATCH_TYPE
    return Reads.DRY_RUN if method in {"POST", "PUT", "DELETE"} else Reads.NOTHING


def detail_of(method: str) -> str:
    """Give the detail that the method alone decides."""
    return _METHOD_DETAILS.get(method, "")


def patch_detail(content_type: str) -> str:
    """Give the detail of a patch; parameters after a semicolon do not count, as in the server."""
    return PATCH_DETAILS.get(content_type) or PATCH_DETAILS.get(content_type.partition(";")[0].strip(), "")


def bounded_method(method: str) -> str:
    """Give a method that HTTP defines as it is, and OTHER for what a caller made up."""
    return method if method in _METHODS else "OTHER"


def join_details(*details: str) -> str:
    """Join details in the order given, leaving out empty ones."""
    return ",".join(filter(None, details))


def complete(entry: Entry, namespace: str, name: str, query: str, content_type: str) -> Match:
    """Make the match of a request, adding to its entry what names, query and content type say."""
    reads = entry.reads
    if reads is _LIST_OPTIONS:
        return _complete_list(entry, namespace, query)
    detail = entry.detail
    if reads is _PATCH_TYPE:
        kind = PATCH_DETAILS.get(content_type) or patch_detail(content_type)
        detail = join_details(kind, detail) if detail else kind
    if reads is not _NOTHING and ("dryRun" in query or hides_keys(query)) and is_dry_run(parse_query(query)):
        detail = join_details(detail, "dry-run")
    return Match(entry.target, entry.verb, detail, namespace, name)


def _complete_list(entry: Entry, namespace: str, query: str) -> Match:
    verb, detail, name = entry.verb, entry.detail, ""
    if "fieldSelector" in query or hides_keys(query):
        values = parse_query(query)
        name = selected_name(values)
        if is_watch(values):
            verb = "watch"
            detail = join_details(detail, "watch-by-field-selector" if name else "")
    elif "watch" in query and _has_watch(query):
        verb = "watch"
    return Match(entry.target, verb, detail, namespace, name)


def _has_watch(query: str) -> bool:
    # client-go sorts the keys, so nearly every watch ends like this.
    return (query.endswith("&watch=true") and query.count("watch") == 1) or is_watch(parse_query(query))
