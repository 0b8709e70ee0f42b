"""From a user to a caller."""

import pytest

from apisnoop.calls.agent import parse_agent
from apisnoop.calls.caller import Caller
from apisnoop.calls.identity import caller_of, parse_node, parse_service_account


def test_a_pod_is_known_by_the_claims_of_its_token():
    """User name, claims and agent together say which pod, service account, node and program it was."""
    caller = caller_of(
        "system:serviceaccount:shop:web", parse_agent("web/2.1"), pod="web-1", pod_uid="6f1c", node="node-1"
    )
    assert caller == Caller(
        node="node-1",
        namespace="shop",
        pod="web-1",
        pod_uid="6f1c",
        service_account="shop/web",
        user="system:serviceaccount:shop:web",
        client="web",
        client_version="2.1",
    )


def test_what_is_not_known_stays_unknown():
    """A person's name gives no namespace, service account or pod, and nothing is guessed."""
    assert caller_of("alice", parse_agent("")) == Caller(user="alice")


@pytest.mark.parametrize(
    ("username", "found"),
    [
        ("system:serviceaccount:shop:web", ("shop", "shop/web")),
        ("system:serviceaccount:shop", ("", "")),
        ("system:serviceaccount::web", ("", "")),
        ("system:serviceaccount:shop:web:extra", ("", "")),
        ("system:serviceaccount:shop:web:", ("", "")),
        ("system:serviceaccounts:shop:web", ("", "")),
        ("alice", ("", "")),
    ],
)
def test_only_a_whole_service_account_name_counts(username, found):
    """Names that only look like a service account's are users like any other."""
    assert parse_service_account(username) == found


def test_a_kubelet_names_its_node():
    """The node authorizer's user name says on which node the caller runs."""
    assert parse_node("system:node:node-7") == "node-7"
    assert parse_node("system:nodes") == ""


def test_names_are_cut():
    """A name longer than any Kubernetes allows is not kept whole."""
    caller = caller_of("u" * 1000, parse_agent(""), pod="p" * 1000, pod_uid="i" * 1000, node="n" * 1000)
    assert {len(part) for part in (caller.user, caller.pod, caller.pod_uid, caller.node)} == {253}
