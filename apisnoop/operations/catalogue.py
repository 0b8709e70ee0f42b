"""The catalogue: every operation of one release or cluster, and the match of a request against it.

The hot path of all recording: `Catalogue.match` runs once a call, so the shapes that nearly all requests have (an
object or a collection, in a namespace or not) are looked up in three tables cut from the path trie; what they do not
know goes through the trie, and what that does not know to `findings`. Reading documents is the business of `document`
and `source`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

import msgspec

from apisnoop.operations.entry import Entry, Leaf, Reads, complete, entry_of
from apisnoop.operations.findings import Findings
from apisnoop.operations.match import Match
from apisnoop.operations.operation import Operation
from apisnoop.operations.query import decode_percent
from apisnoop.operations.request_info import split_path
from apisnoop.operations.trie import PathTrie, erase_names

_NAMESPACES = "/namespaces/"
_NOTHING = Reads.NOTHING
_AUDIT_METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
    "proxy": "GET",
    "": "OPTIONS",
}


class _Space:
    """The namespaced paths below one group and version, by what follows the namespace."""

    __slots__ = ("collections", "itself", "objects", "subresources")

    def __init__(self) -> None:
        self.itself: Leaf | None = None
        self.collections: dict[str, Leaf] = {}
        self.objects: dict[str, Leaf] = {}
        self.subresources: dict[str, dict[str, Leaf]] = {}

    def find(self, tail: str) -> tuple[Leaf | None, str, str]:
        """Find what follows `/namespaces/` in a path: the leaf, if it has a usual shape, the namespace and the name."""
        segments = tail.split("/")
        size = len(segments)
        if size == 3:
            namespace, resource, name = segments
            leaf = self.objects.get(resource)
        elif size == 4:
            namespace, resource, name, subresource = segments
            subresources = self.subresources.get(resource)
            leaf = subresources.get(subresource) if subresources is not None else None
        elif size == 2:
            namespace, resource = segments
            return self.collections.get(resource) if namespace else None, namespace, ""
        else:
            namespace = name = tail
            leaf = self.itself if size == 1 else None
        return leaf if namespace and name else None, namespace, name


class Catalogue:
    """The operations of one release or cluster. Made once, then only read; safe to share between threads."""

    def __init__(self, operations: Iterable[Operation], *, release: str, source: str) -> None:
        self.release = release
        """The Kubernetes release, e.g. 1.34; empty where the source does not say."""
        self.source = source
        """Where the operations come from, as reports say it."""
        self.operations: Mapping[str, Operation] = MappingProxyType(
            {operation.id: operation for operation in operations}
        )
        """By operation id."""
        self._trie: PathTrie[Leaf] = PathTrie()
        self._fixed: dict[str, Leaf] = {}
        self._objects: dict[str, Leaf] = {}
        self._subresources: dict[str, dict[str, Leaf]] = {}
        self._spaces: dict[str, _Space] = {}
        for template, leaf in _leaves(self.operations.values()).items():
            self._trie.insert(template, leaf)
            self._cut_short(template, leaf)
        self._findings = Findings(self.operations.values(), release)

    @cached_property
    def digest(self) -> str:
        """A SHA-256 over the facts of all operations: equal digests, equal catalogues."""
        rows = sorted(msgspec.json.encode(operation) for operation in self.operations.values())
        return hashlib.sha256(b"\n".join(rows)).hexdigest()

    def match(self, method: str, url: str, content_type: str = "") -> Match:
        """Tell what one request asked for.

        `url` is the path as sent, with its query if there is one; `content_type` matters for PATCH only.
        """
        path, _, query = url.partition("?")
        head, marker, tail = path.partition(_NAMESPACES)
        space = self._spaces.get(head) if marker else None
        if space is not None:
            leaf, namespace, name = space.find(tail)
        else:
            leaf, namespace, name = self._fixed.get(path), "", ""
            if leaf is None:
                leaf, name = self._find_in_cluster(path)
        if leaf is None or (entry := leaf.get(method)) is None or "%" in path:
            return self._match_slowly(method, path, query, content_type)
        if (query or method == "PATCH") and entry.reads is not _NOTHING:
            return complete(entry, namespace, name, query, content_type)
        return Match(entry.target, entry.verb, entry.detail, namespace, name)

    def match_audit(self, verb: str, request_uri: str) -> Match:
        """Tell what an audit event is about; its verb stands in for the method, which audit logs do not have.

        HEAD cannot be told from GET there, nor one kind of patch from another.
        """
        return self.match(_AUDIT_METHODS.get(verb) or verb.upper(), request_uri)

    def _find_in_cluster(self, path: str) -> tuple[Leaf | None, str]:
        """Find an object outside namespaces, or its subresource, and its name."""
        base, _, name = path.rpartition("/")
        leaf = self._objects.get(base)
        if leaf is None:
            subresource = name
            base, _, name = base.rpartition("/")
            subresources = self._subresources.get(base)
            leaf = subresources.get(subresource) if subresources is not None else None
        return leaf if name else None, name

    def _match_slowly(self, method: str, path: str, query: str, content_type: str) -> Match:
        decoded = decode_percent(path)
        if decoded is None:
            return self._findings.match_undecodable(method)
        leaf = self._trie.find(decoded)
        entry = leaf.get(method) if leaf is not None else None
        parts = split_path(decoded)
        if entry is None or _lacks_name(entry, parts):
            return self._findings.match(method, parts, leaf, query, content_type)
        if entry.open_ended:
            entry = self._findings.close(entry, parts)
        place = entry.place
        if place is None:
            return Match(entry.target, entry.verb, entry.detail, "", "")
        return complete(entry, parts[place.namespace], parts[place.name], query, content_type)

    def _cut_short(self, template: str, leaf: Leaf) -> None:
        """Put a template into the table that the hot path looks it up in, if it has one of the usual shapes."""
        if any(entry.open_ended for entry in leaf.values()):
            return
        if "{" not in template:
            self._fixed[template.rstrip("/") or "/"] = leaf
            self._fixed[template] = leaf
            return
        head, marker, tail = template.partition(_NAMESPACES)
        segments = tail.split("/")
        wild = [segment.startswith("{") for segment in segments]
        space = self._spaces.setdefault(head, _Space()) if marker and "{" not in head else _Space()
        if marker and segments[1:2] in (["status"], ["finalize"]):
            return  # the server takes these for subresources of the namespace
        if marker and wild == [True]:
            space.itself = leaf
        elif wild == [True, False]:
            space.collections[segments[1]] = leaf
        elif wild == [True, False, True]:
            space.objects[segments[1]] = leaf
        elif wild == [True, False, True, False]:
            space.subresources.setdefault(segments[1], {})[segments[3]] = leaf
        elif template.endswith("/{name}") and template.count("{") == 1:
            self._objects[template.removesuffix("/{name}")] = leaf
        elif template.count("{") == 1 and template.rpartition("/")[0].endswith("/{name}"):
            base, _, subresource = template.partition("/{name}/")
            self._subresources.setdefault(base, {})[subresource] = leaf


def _lacks_name(entry: Entry, parts: list[str]) -> bool:
    return entry.place is not None and entry.place.name > 0 and not parts[entry.place.name]


def _leaves(operations: Iterable[Operation]) -> dict[str, Leaf]:
    """Group entries by template; templates that differ in their placeholders' names only are one."""
    leaves: dict[str, Leaf] = {}
    templates: dict[str, str] = {}
    for operation in operations:
        template = templates.setdefault(erase_names(operation.path), operation.path)
        leaves.setdefault(template, {})[operation.method] = entry_of(operation)
    return leaves
