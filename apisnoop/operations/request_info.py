"""Which parts of a path say what: the API server's own reading of a request, done on positions.

A faithful rendering of what k8s.io/apiserver's request info does (pkg/endpoints/request/requestinfo.go), so that
verbs agree with RBAC and audit logs, also for paths that no catalogue knows. Working on positions, it serves
templates (once, when a catalogue is made) and requests alike. It does not know which paths exist.
"""

import msgspec

_PREFIXES = frozenset({"api", "apis"})
_SPECIAL_VERBS = frozenset({"watch", "proxy"})
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_METHOD_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


class Place(msgspec.Struct, frozen=True, gc=False):
    """Positions in the parts of a resource path. Zero stands for "none": part 0 is always empty."""

    group: int
    version: int
    namespace: int
    resource: int
    name: int
    subresource: int
    special_verb: str
    """watch or proxy, where the path begins with one (legacy), else empty."""


def split_path(path: str) -> list[str]:
    """Split a decoded path into its parts, an empty one first; slashes at both ends do not count, as in the server."""
    return ["", *path.strip("/").split("/")]


def locate(parts: list[str]) -> Place | None:
    """Find the resource coordinates in the parts of a path; None for what the server calls a non-resource request."""
    last = len(parts) - 1
    if last < 3 or parts[1] not in _PREFIXES:
        return None
    group, version = (0, 2) if parts[1] == "api" else (2, 3)
    at = version + 1
    if at > last:
        return None
    special_verb = ""
    if parts[at] in _SPECIAL_VERBS:
        if at == last:
            return None  # "unable to determine kind and namespace from url": answered with 500 before any audit
        special_verb = parts[at]
        at += 1
    namespace = 0
    if parts[at] == "namespaces" and last > at:
        namespace = at + 1
        if last > namespace and parts[namespace + 1] not in _NAMESPACE_SUBRESOURCES:
            at = namespace + 1
    return Place(
        group=group,
        version=version,
        namespace=namespace,
        resource=at,
        name=at + 1 if last > at else 0,
        subresource=at + 2 if last > at + 1 and special_verb != "proxy" else 0,
        special_verb=special_verb,
    )


def verb_of(method: str, place: Place | None, *, named: bool, watch: bool = False) -> str:
    """Give the API server's verb for a method on a place; `named` tells whether the path gives the object's name."""
    if place is None:
        return method.lower()
    if place.special_verb:
        return place.special_verb
    verb = _METHOD_VERBS.get(method, "")
    if named:
        return verb
    if verb == "get":
        return "watch" if watch else "list"
    return "deletecollection" if verb == "delete" else verb
