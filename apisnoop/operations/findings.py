"""Requests that are no operation of the catalogue: which class of finding each is, and why, in words for a person.

Off the hot path, but not off the record: custom resources of a cluster that is held against a shipped catalogue all
come here. So what was worked out for one request is kept for the next of its kind, up to a limit.
"""

import re
from collections.abc import Iterable

import msgspec

from apisnoop.operations.absence import Absence
from apisnoop.operations.entry import Entry, Leaf, Reads, bounded_method, complete, detail_of, reads_of
from apisnoop.operations.lifecycle import Coordinates
from apisnoop.operations.match import Finding, Match, Target
from apisnoop.operations.operation import Operation
from apisnoop.operations.request_info import Place, locate, verb_of

KEPT = 4096
"""Findings remembered; when full, all are forgotten, which costs time only."""
LONGEST_VERB = 32
_SEGMENT = re.compile(r"[A-Za-z0-9._:~-]{1,253}")
"""What a group, version, resource or subresource may look like; anything else is not repeated to anyone."""
_UNREADABLE = "{unreadable}"

_LEGACY_PROXY = (
    Finding.REMOVED,
    "the /proxy/ prefix: removed in 1.10; use the proxy subresource of pods, services or nodes",
)
_DISCOVERY = frozenset({("api", 3), ("apis", 3), ("apis", 4)})
_NOT_API = {
    "": "the list of paths",
    "configz": "the server's configuration",
    "debug": "profiling",
    "flagz": "the server's flags",
    "healthz": "a health check",
    "livez": "a health check",
    "metrics": "metrics",
    "openapi": "an OpenAPI document",
    "readyz": "a health check",
    "statusz": "the server's status",
    "swagger-2.0.0.pb-v1": "an OpenAPI document",
    "swagger.json": "an OpenAPI document",
    "swaggerapi": "an API description of old",
}


class Findings:
    """Classifies what a catalogue does not have."""

    def __init__(self, operations: Iterable[Operation], release: str) -> None:
        self._absence = Absence(operations, release)
        self._kept: dict[tuple[str, ...], Entry] = {}

    def match(self, method: str, parts: list[str], leaf: Leaf | None, query: str, content_type: str) -> Match:
        """Make the match of a request for which the catalogue has no operation.

        `leaf` holds the operations of its path, if there are any: with other methods, or with a name that is missing.
        """
        place = locate(parts)
        if place is None:
            entry = self._entry_off_resources(method, parts, leaf)
            return Match(entry.target, entry.verb, entry.detail, "", "")
        name = parts[place.name]
        coordinates = (parts[place.group], parts[place.version], parts[place.resource], parts[place.subresource])
        size = min(len(parts), place.resource + 4)
        shape = f"{size} {place.resource} {_template_of(leaf)} {bool(name)} {place.special_verb}"
        key = (method, shape, *coordinates)
        entry = self._kept.get(key) or self._keep(key, self._entry_of_resource(method, parts, place, leaf))
        return complete(entry, parts[place.namespace], name, query, content_type)

    def match_undecodable(self, method: str) -> Match:
        """Make the match of a path whose percent-encoding is broken: the server answers 400 before it reads a verb."""
        known = bounded_method(method)
        reason = "its percent-encoding is broken; the server answers 400"
        target = Target(None, Finding.UNKNOWN_PATH, known, _UNREADABLE, "", "", "", "", reason)
        return Match(target, _verb(method, None, named=False), detail_of(known), "", "")

    def close(self, entry: Entry, parts: list[str]) -> Entry:
        """Give the entry of a template that leaves the resource open the coordinates that one request has."""
        place = entry.place
        if place is None:
            return entry
        group, version, resource, subresource = coordinates = _coordinates(parts, place)
        key = (entry.target.method, entry.target.template, *coordinates)
        if key in self._kept:
            return self._kept[key]
        target = msgspec.structs.replace(
            entry.target, group=group, version=version, resource=resource, subresource=subresource
        )
        return self._keep(key, msgspec.structs.replace(entry, target=target, open_ended=False))

    def _keep(self, key: tuple[str, ...], entry: Entry) -> Entry:
        if sum(map(len, key)) > 1024:
            return entry
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[key] = entry
        return entry

    def _entry_of_resource(self, method: str, parts: list[str], place: Place, leaf: Leaf | None) -> Entry:
        wanted = _coordinates(parts, place)
        known = bounded_method(method)
        template = _template(parts, place)
        if leaf is not None and method in leaf:
            finding, reason = Finding.UNKNOWN_PATH, "the name is empty"
        elif leaf is not None:
            template = _template_of(leaf)
            finding, reason = Finding.METHOD_NOT_ALLOWED, _allowed(leaf)
        else:
            finding, reason = _LEGACY_PROXY if place.special_verb == "proxy" else self._absence.judge(wanted)
        verb = _verb(method, place, named=bool(parts[place.name]))
        return Entry(
            target=Target(None, finding, known, template, *wanted, reason),
            verb=verb,
            detail=detail_of(known),
            reads=reads_of(known, place, verb),
            place=place,
            open_ended=False,
        )

    def _entry_off_resources(self, method: str, parts: list[str], leaf: Leaf | None) -> Entry:
        known = bounded_method(method)
        words = [_readable(part) for part in parts]
        if leaf is not None:
            template = _template_of(leaf)
            finding, reason = Finding.METHOD_NOT_ALLOWED, _allowed(leaf)
        elif words[1] in _NOT_API:
            template = _template_below(words, keep=2 if words[1] == "openapi" else 1)
            finding, reason = Finding.NOT_API, f"{_NOT_API[words[1]]}, served beside the API"
        elif (words[1], len(words)) in _DISCOVERY:
            template = "/".join(words)
            wanted = (
                Coordinates(*words[2:], *[""] * (4 - len(words))) if words[1] == "apis" else Coordinates("", words[2])
            )
            finding, reason = self._absence.judge(wanted)
        else:
            template = _template_below(words, keep=1)
            finding, reason = self._absence.judge_path()
        target = Target(None, finding, known, template, "", "", "", "", reason)
        verb = _verb(method, None, named=False)
        return Entry(target, verb, detail_of(known), Reads.NOTHING, None, open_ended=False)


def _coordinates(parts: list[str], place: Place) -> Coordinates:
    at = (place.group, place.version, place.resource, place.subresource)
    return Coordinates(*(_readable(parts[index]) for index in at))


def _readable(part: str) -> str:
    return part if not part or _SEGMENT.fullmatch(part) else _UNREADABLE


def _verb(method: str, place: Place | None, *, named: bool) -> str:
    return verb_of(method[:LONGEST_VERB], place, named=named)


def _template_of(leaf: Leaf | None) -> str:
    return next(iter(leaf.values())).target.template if leaf else ""


def _allowed(leaf: Leaf) -> str:
    return f"the path allows {', '.join(sorted(leaf))}"


def _template(parts: list[str], place: Place) -> str:
    """Make a template from a path: names become placeholders, and so does everything after the subresource."""
    words = [_readable(part) for part in parts[: place.resource + 3]]
    if place.namespace and place.namespace < place.resource:
        words[place.namespace] = "{namespace}"
    if place.name:
        words[place.name] = "{name}"
    more = len(parts) > place.resource + 3
    if place.special_verb == "proxy":
        words, more = words[: place.resource + 2], len(parts) > place.resource + 2
    return "/".join([*words, "{path}"] if more else words)


def _template_below(words: list[str], keep: int) -> str:
    kept = words[: keep + 1]
    return "/".join([*kept, "{path}"] if len(words) > len(kept) else kept)
