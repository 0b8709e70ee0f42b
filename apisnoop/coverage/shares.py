"""Shares by level, group/version, resource, verb and detail, from operations and what was seen of each."""

from collections.abc import Callable, Iterable

from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.report import Detail, Group, OperationUse
from apisnoop.coverage.share import Share, share_of
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.operation import Level, Operation

NO_GROUP = "(no group)"
"""Paths outside every API group: /version, /logs, the list of groups."""
NO_RESOURCE = "(no resource)"
"""Discovery, version, logs, OpenID."""
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy")
"""The order in which people expect verbs; others come after, by name."""
LEVELS = tuple(level.value for level in (Level.STABLE, Level.BETA, Level.ALPHA))


def share_of_uses(uses: Iterable[OperationUse]) -> Share:
    """Give the share of these operations that was hit."""
    return sum((share_of(use.calls.ok, use.calls.errors) for use in uses), Share())


def by_level(uses: Iterable[OperationUse]) -> tuple[Group, ...]:
    """Give the share of each level, the most settled first."""
    return grouped(uses, lambda use: use.operation.level.value, LEVELS)


def by_group_version(uses: Iterable[OperationUse]) -> tuple[Group, ...]:
    """Give the share of each group/version, the core first; discovery of a whole group is a row of its own."""
    return grouped(uses, lambda use: group_version(use.operation))


def by_resource(uses: Iterable[OperationUse]) -> tuple[Group, ...]:
    """Give the share of each resource, its versions and subresources together."""
    return grouped(uses, lambda use: resource_name(use.operation))


def group_version(operation: Operation) -> str:
    """Name the group and version of an operation as manifests do: v1, apps/v1; a group alone as "apps (group)"."""
    if operation.group and not operation.version:
        return f"{operation.group} (group)"
    return "/".join(filter(None, (operation.group, operation.version))) or NO_GROUP


def resource_name(operation: Operation) -> str:
    """Name the resource of an operation as kubectl does: pods, deployments.apps."""
    return ".".join(filter(None, (operation.resource, operation.group))) if operation.resource else NO_RESOURCE


def grouped(
    uses: Iterable[OperationUse], name: Callable[[OperationUse], str], order: tuple[str, ...] = ()
) -> tuple[Group, ...]:
    """Add up uses by a name. Names in `order` come first and in that order, the rest by group, then name."""
    shares: dict[str, tuple[Share, int]] = {}
    for use in uses:
        share, calls = shares.get(key := name(use), (Share(), 0))
        shares[key] = (share + share_of(use.calls.ok, use.calls.errors), calls + use.calls.total)
    return _sorted_groups(shares, order)


def by_verb(uses: Iterable[OperationUse], catalogue: Catalogue) -> tuple[Group, ...]:
    """Give the share of each of the server's verbs; a collection that can be watched counts under list and watch."""
    watched = {_resource(operation) for operation in catalogue.operations.values() if operation.action == "watchlist"}
    groups_watched = {key[:2] for key in watched}
    shares: dict[str, tuple[Share, int]] = {}

    def count(verb: str, seen: CallsSeen) -> None:
        share, calls = shares.get(verb, (Share(), 0))
        shares[verb] = (share + share_of(seen.ok, seen.errors), calls + seen.total)

    for use in uses:
        operation = use.operation
        verb = catalogue.match(operation.method, operation.path).verb or operation.method.lower()
        key = _resource(operation)
        if operation.action == "list" and (key in watched or key[:2] not in groups_watched):
            watches = sum((a.calls for a in use.actions if a.verb == "watch"), NONE_SEEN)
            count("watch", watches)
            count(verb, sum((a.calls for a in use.actions if a.verb != "watch"), NONE_SEEN))
        else:
            count(verb, use.calls)
    return _sorted_groups(shares, VERBS)


def by_detail(uses: Iterable[OperationUse]) -> tuple[Detail, ...]:
    """Count the operations that were called with each detail."""
    found: dict[str, dict[str, CallsSeen]] = {}
    for use in uses:
        for action in use.actions:
            for detail in filter(None, action.detail.split(",")):
                seen = found.setdefault(detail, {})
                seen[use.operation.id] = seen.get(use.operation.id, NONE_SEEN) + action.calls
    return tuple(
        Detail(
            detail,
            ok=sum(calls.ok > 0 for calls in seen.values()),
            any=len(seen),
            calls=sum(calls.total for calls in seen.values()),
        )
        for detail, seen in sorted(found.items())
    )


def _resource(operation: Operation) -> tuple[str, str, str]:
    return operation.group, operation.version, operation.resource


def _sorted_groups(shares: dict[str, tuple[Share, int]], order: tuple[str, ...]) -> tuple[Group, ...]:
    place = {name: at for at, name in enumerate(order)}

    def key(name: str) -> tuple[int, bool, bool, str]:
        in_group = "/" in name or "." in name or "(" in name
        return place.get(name, len(place)), name.startswith("("), in_group, name

    return tuple(Group(name, *shares[name]) for name in sorted(shares, key=key))
