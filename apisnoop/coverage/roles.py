"""Roles: the fewest rules that allow exactly a set of rights, and their bindings, as values in RBAC's shape.

Exactly: rules are merged only where the merged rule allows nothing more (a rule allows every combination of its groups,
resources, verbs and names). https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from apisnoop.coverage.rights import Right
from apisnoop.coverage.shares import VERBS

EVERYONE = frozenset(
    {
        *(("get", path) for path in ("/api", "/apis", "/healthz", "/livez", "/openapi", "/readyz", "/version")),
        *(("get", f"{path}/") for path in ("/api", "/apis", "/openapi", "/version")),
    }
)
"""Paths that the default roles system:discovery and system:public-info-viewer give to every authenticated caller."""
EVERYONE_BELOW = ("/api/", "/apis/", "/openapi/")
ISSUER_DISCOVERY = ("/.well-known/openid-configuration", "/openid/v1/jwks")
"""Given to every service account by system:service-account-issuer-discovery."""
SELF_REVIEWS = frozenset(
    {
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authentication.k8s.io", "selfsubjectreviews"),
    }
)
"""Given to every authenticated caller by system:basic-user."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One rule of a role: every verb on every resource of the group, or on every path."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    """Only these objects; empty for all."""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A Role in a namespace, or a ClusterRole where the namespace is empty."""

    namespace: str
    rules: tuple[Rule, ...]


def is_given_to_everyone(right: Right) -> bool:
    """Tell whether Kubernetes' default roles give a right to every service account already."""
    if right.path:
        known = (right.verb, right.path) in EVERYONE or right.path.rstrip("/") in ISSUER_DISCOVERY
        return right.verb == "get" and (known or right.path.startswith(EVERYONE_BELOW))
    return right.verb == "create" and (right.group, right.resource) in SELF_REVIEWS


def least_roles(rights: Iterable[Right]) -> tuple[Role, ...]:
    """Give the least set of roles that allows these rights and nothing else: cluster-wide first, then by namespace.

    What is allowed cluster-wide is not repeated for a namespace, nor what is allowed for all objects for one of them.
    """
    wanted = set(rights)
    kept = {right for right in wanted if not _covered(right, wanted)}
    by_namespace: dict[str, set[Right]] = defaultdict(set)
    for right in kept:
        by_namespace[right.namespace].add(right)
    return tuple(Role(namespace, _rules(by_namespace[namespace])) for namespace in sorted(by_namespace))


def _covered(right: Right, wanted: set[Right]) -> bool:
    """Tell whether a wider right among those wanted allows this one too."""
    wider = {
        Right(namespace, right.group, right.resource, right.verb, right.path, name)
        for namespace in (right.namespace, "")
        for name in (right.name, "")
    }
    return any(other in wanted for other in wider - {right})


def _rules(rights: set[Right]) -> tuple[Rule, ...]:
    """Merge rights of one scope into rules: first by verbs, then resources of one group that share verbs and names."""
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    verbs_of_path: dict[str, set[str]] = defaultdict(set)
    for right in rights:
        if right.path:
            verbs_of_path[right.path].add(right.verb)
        else:
            names[right.group, right.resource, right.verb].add(right.name)
    verbs: dict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, verb), named in names.items():
        verbs[group, resource, tuple(sorted(named - {""}))].add(verb)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, named_only), found in verbs.items():
        resources[group, sort_verbs(found), named_only].add(resource)
    rules = [
        Rule(group, tuple(sorted(found)), allowed, named_only)
        for (group, allowed, named_only), found in resources.items()
    ]
    return (*sorted(rules), *_path_rules(verbs_of_path))


def _path_rules(verbs_of_path: dict[str, set[str]]) -> list[Rule]:
    paths: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path, verbs in verbs_of_path.items():
        paths[sort_verbs(verbs)].add(path)
    return sorted(Rule("", (), verbs, (), tuple(sorted(found))) for verbs, found in paths.items())


def sort_verbs(verbs: Iterable[str]) -> tuple[str, ...]:
    """Put verbs into the order in which people write them."""
    place = {verb: at for at, verb in enumerate(VERBS)}
    return tuple(sorted(verbs, key=lambda verb: (place.get(verb, len(place)), verb)))
