"""Rights: what a service account was seen to need, in RBAC's own terms, one verb on one resource at a time.

From store rows to a set of rights; turning them into roles is the business of `roles`. A call that the server refused
(401, 403) needs nothing: the program lived without it.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from apisnoop.calls.tally import OTHER
from apisnoop.operations.match import Finding
from apisnoop.store.queries import AccessRow, NameRow, TargetRow, UnfinishedAccessRow

CREATES_WHAT_IS_MISSING = frozenset({"patch", "update"})
"""Server-side apply and some updates create; the server then asks for the verb create too (answer 201)."""
UPGRADED = frozenset({("", "pods/attach"), ("", "pods/exec"), ("", "pods/portforward")})
"""A WebSocket upgrade is a GET, and newer servers ask for the verb create too, as a POST needs it; only get is audited
(gate AuthorizePodWebsocketUpgradeCreatePermission, on since Kubernetes 1.35)."""
COLLECTION_VERBS = frozenset({"list", "watch", "deletecollection"})
"""Verbs without a name in the path; a field selector can still name one object."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[a-z0-9.-]+)?")
"""What groups, resources with their subresource, and namespaces look like (RFC 1123); a role gets nothing else."""
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+/?\*?")
"""A non-resource URL worth a rule: never a bare `/*` or `*`, which would allow everything that is no resource."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource, cluster-wide or in a namespace; or on a path that is no resource."""

    namespace: str
    """Empty: cluster-wide."""
    group: str
    resource: str
    """With its subresource, e.g. pods/log; empty for a path."""
    verb: str
    path: str = ""
    """A non-resource URL, e.g. /metrics or /logs/*."""
    name: str = ""
    """The only object it is needed for; empty for all."""


@dataclass(slots=True)
class Needs:
    """What one caller was seen to need, and what could not be put into rights."""

    rights: set[Right] = field(default_factory=set)
    calls: int = 0
    """All its calls."""
    refused: int = 0
    """Calls that the server refused."""
    unknown_namespaces: bool = False
    """Whether more namespaces were met than the store tells apart; what was done there is granted everywhere."""
    without_verb: int = 0
    """Calls for which the server knows no verb (OPTIONS): no rule can allow them."""
    senseless: int = 0
    """Calls to paths that no rule can name, or that do not exist: a right for them would allow more than they were."""
    absent: set[str] = field(default_factory=set)
    """Namespaces of which all that was seen is that they do not exist: a role in one could not even be applied."""


@dataclass(frozen=True, slots=True)
class Names:
    """The object names of a recording, and whether they can be relied on for collections too."""

    by_access: Mapping[tuple[int, int, str, str], Mapping[str, int]]
    """(target, caller, verb, namespace) to names with their counts."""
    whole: bool
    """Whether the counts are of the same calls as the accesses, which they are not within a window of time."""


def names_from(rows: Iterable[NameRow], *, whole: bool) -> Names:
    """Arrange the store's object names by access."""
    found: dict[tuple[int, int, str, str], dict[str, int]] = defaultdict(dict)
    for row in rows:
        named = found[row.target, row.caller, row.verb, row.namespace]
        named[row.name] = named.get(row.name, 0) + row.count
    return Names(found, whole)


def with_open(accesses: Iterable[AccessRow], still_open: Iterable[UnfinishedAccessRow]) -> list[AccessRow]:
    """Add what is still being answered (open watches, log streams) to the accesses: it needs its right as well."""
    total = {(row.target, row.caller, row.verb, row.namespace): row for row in accesses}
    for row in still_open:
        key = (row.target, row.caller, row.verb, row.namespace)
        known = total.get(key) or AccessRow(*key, calls=0, refused=0, created=0, ok=0, missing=0)
        total[key] = msgspec.structs.replace(known, calls=known.calls + row.calls, ok=known.ok + row.calls)
    return list(total.values())


def names_of_open(still_open: Iterable[UnfinishedAccessRow]) -> Iterator[NameRow]:
    """Give the object names of what is still being answered."""
    for row in still_open:
        if row.name:
            yield NameRow(row.target, row.caller, row.verb, row.namespace, row.name, row.calls)


def needs_of[Subject: Hashable](
    accesses: Iterable[AccessRow],
    targets: Mapping[int, TargetRow],
    subjects: Mapping[int, Subject],
    names: Names | None = None,
) -> dict[Subject, Needs]:
    """Give what each subject needs; `subjects` says which subject a caller is (callers it lacks are left out).

    With `names`, rights are for the objects that were named, wherever all of them are known.
    """
    by_subject: dict[Subject, list[AccessRow]] = defaultdict(list)
    for access in accesses:
        if (subject := subjects.get(access.caller)) is not None:
            by_subject[subject].append(access)
    return {subject: _needs(made, targets, names) for subject, made in by_subject.items()}


def _needs(accesses: Iterable[AccessRow], targets: Mapping[int, TargetRow], names: Names | None) -> Needs:
    """Give what one subject needs."""
    need = Needs()
    allowed = []
    for access in accesses:
        need.refused += access.refused
        need.calls += access.calls
        if access.calls == access.refused:
            continue
        if access.verb:
            allowed.append(access)
        else:
            need.without_verb += access.calls
    exist = {access.namespace for access in allowed if not _says_absent(access, targets[access.target])}
    for access in allowed:
        target = targets[access.target]
        if access.namespace in exist or access.namespace == OTHER:
            rights = _rights(access, target, _names_of(access, target, names))
        else:
            need.absent.add(access.namespace)
            rights = _rights_on_absent(access, target)
        if _is_nowhere(access, target) or not all(map(is_writable, rights)):
            need.senseless += access.calls - access.refused
            continue
        need.unknown_namespaces |= access.namespace == OTHER
        need.rights |= rights
    return need


def _says_absent(access: AccessRow, target: TargetRow) -> bool:
    """Tell whether all that an access shows is that its namespace does not exist.

    The namespace itself was not found, or something could not be created in it for want of it.
    """
    about_it = (target.api_group, target.resource) == ("", "namespaces") or access.verb == "create"
    return bool(access.namespace) and about_it and access.missing == access.calls - access.refused


def _rights_on_absent(access: AccessRow, target: TargetRow) -> set[Right]:
    """Give what lets a subject learn once more that a namespace does not exist: a right on that one object.

    It stands cluster-wide with the object's name, which allows the same as in a Role there would.
    """
    if (target.api_group, target.resource) != ("", "namespaces"):
        return set()
    return _rights(msgspec.structs.replace(access, namespace=""), target, frozenset({access.namespace}))


def _is_nowhere(access: AccessRow, target: TargetRow) -> bool:
    """Tell whether a call went to a path that does not exist: no resource, in no catalogue, and never answered."""
    return not target.resource and target.kind == Finding.UNKNOWN_PATH and not access.ok


def is_writable(right: Right) -> bool:
    """Tell whether a rule can say a right without saying more: its names are names, its path is no bare wildcard."""
    if right.path:
        return right.path == "/" or _PATH.fullmatch(right.path) is not None
    return all(_NAME.fullmatch(name) for name in (right.namespace, right.group, right.resource) if name)


def _names_of(access: AccessRow, target: TargetRow, names: Names | None) -> frozenset[str]:
    """Give the only objects an access was about; empty where it was about others too, or nobody knows."""
    if names is None:
        return frozenset()
    found = names.by_access.get((access.target, access.caller, access.verb, access.namespace), {})
    if OTHER in found:
        return frozenset()
    in_path = access.verb not in COLLECTION_VERBS and target.path.count("{name}") > 0
    if in_path or (names.whole and sum(found.values()) == access.calls):
        return frozenset(found)
    return frozenset()


def _rights(access: AccessRow, target: TargetRow, names: frozenset[str]) -> set[Right]:
    if not target.resource:
        return {Right("", "", "", access.verb, path) for path in urls(target.path)}
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    namespace = "" if access.namespace == OTHER else access.namespace
    verbs = [access.verb]
    if access.created and access.verb in CREATES_WHAT_IS_MISSING:
        verbs.append("create")
    if access.verb == "get" and (target.api_group, resource) in UPGRADED:
        verbs.append("create")
    return {Right(namespace, target.api_group, resource, verb, "", name) for verb in verbs for name in names or {""}}


def urls(template: str) -> tuple[str, ...]:
    """Give the non-resource URLs that allow a path: up to its first placeholder, with and without a slash at the end.

    RBAC compares such URLs as they were sent, and allows `*` at the end only.
    """
    head, placeholder, _ = template.partition("{")
    if placeholder:
        return (f"{head}*",)
    bare = template.rstrip("/") or "/"
    return (bare, f"{bare}/") if template.endswith("/") and bare != "/" else (bare,)
