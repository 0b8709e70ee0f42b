"""From rights to the least roles."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.coverage.rights import Right
from apisnoop.coverage.roles import Role, Rule, is_given_to_everyone, least_roles, sort_verbs

NAMESPACES, GROUPS = ["", "a", "b"], ["", "apps"]
RESOURCES, VERBS, NAMES = ["pods", "pods/log", "secrets"], ["get", "list", "watch", "create"], ["", "x", "y"]
RIGHTS = st.one_of(
    st.builds(
        Right,
        st.sampled_from(NAMESPACES),
        st.sampled_from(GROUPS),
        st.sampled_from(RESOURCES),
        st.sampled_from(VERBS),
        st.just(""),
        st.sampled_from(NAMES),
    ),
    st.builds(
        lambda verb, path: Right("", "", "", verb, path), st.sampled_from(VERBS), st.sampled_from(["/m", "/l/*"])
    ),
)


def allows(roles, right):
    """Decide as the server's authorizer does: any rule of a role that is bound there, or cluster-wide."""
    return any(
        right.path in rule.paths and right.verb in rule.verbs
        if right.path
        else rule.group == right.group
        and right.resource in rule.resources
        and right.verb in rule.verbs
        and (not rule.names or right.name in rule.names)
        for role in roles
        if role.namespace in {"", right.namespace}
        for rule in role.rules
    )


def wanted(rights, right):
    """Decide whether a right is among those wanted, or within a wider one of them."""
    return any(
        Right(namespace, right.group, right.resource, right.verb, right.path, name) in rights
        for namespace, name in product({right.namespace, ""}, {right.name, ""})
    )


@given(st.sets(RIGHTS, max_size=25))
def test_roles_allow_what_was_wanted_and_nothing_else(rights):
    """Over every right there could be: allowed if and only if wanted, however rules were merged."""
    roles = least_roles(rights)
    possible = [
        Right(*parts[:4], "", parts[4]) for parts in product(NAMESPACES, GROUPS, RESOURCES, VERBS, [*NAMES, "z"])
    ]
    possible += [Right("", "", "", verb, path) for verb, path in product(VERBS, ["/m", "/l/*", "/other"])]
    for right in possible:
        assert allows(roles, right) == wanted(rights, right), right


@given(st.sets(RIGHTS, max_size=25), st.randoms())
def test_the_order_of_rights_does_not_matter(rights, random):
    """The same recording always gives the same roles, so that they can be kept under version control."""
    shuffled = sorted(rights)
    random.shuffle(shuffled)
    assert least_roles(shuffled) == least_roles(rights)


def test_resources_with_the_same_verbs_share_a_rule():
    """Rules are merged as a person would write them, verbs in the usual order."""
    rights = [
        Right("shop", "", resource, verb) for resource in ("pods", "configmaps") for verb in ("watch", "list", "get")
    ]
    assert least_roles(rights) == (Role("shop", (Rule("", ("configmaps", "pods"), ("get", "list", "watch")),)),)


def test_what_is_allowed_cluster_wide_is_not_repeated():
    """A namespace needs no rule for what its subject may do everywhere."""
    rights = [Right("", "", "pods", "list"), Right("shop", "", "pods", "list"), Right("shop", "", "pods", "get")]
    assert least_roles(rights) == (
        Role("", (Rule("", ("pods",), ("list",)),)),
        Role("shop", (Rule("", ("pods",), ("get",)),)),
    )


@pytest.mark.parametrize(
    ("right", "given_to_all"),
    [
        (Right("", "", "", "get", "/version"), True),
        (Right("", "", "", "get", "/apis/apps/v1"), True),
        (Right("", "", "", "get", "/openid/v1/jwks/"), True),
        (Right("", "", "", "get", "/metrics"), False),
        (Right("", "", "", "head", "/version"), False),
        (Right("", "", "", "get", "/livez/etcd"), False),
        (Right("", "authorization.k8s.io", "selfsubjectaccessreviews", "create"), True),
        (Right("", "authorization.k8s.io", "subjectaccessreviews", "create"), False),
    ],
)
def test_what_everybody_may_do_is_known(right, given_to_all):
    """The default roles of Kubernetes give discovery and reviews of oneself to every service account, and no more."""
    assert is_given_to_everyone(right) is given_to_all


def test_unknown_verbs_come_last():
    """Verbs have the order in which people write them; others follow by name."""
    assert sort_verbs({"zap", "delete", "bind", "get"}) == ("get", "delete", "bind", "zap")
