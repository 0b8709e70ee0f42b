"""A word for a resource that nobody knows is said, with what may be meant; custom resources are known."""

import pytest

from apisnoop.cli.unknown_resources import unknown_resources
from tests.cli.fake_api import FakeApi


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["pods", "pods/log", "deployments.apps", "ingresses.networking.k8s.io", "pods/exec"],
        ["widgets", "widgets.example.org"],
        ["flowschemas"],
    ],
)
def test_what_kubernetes_or_the_cluster_has_is_known(words):
    """Also what this cluster does not serve, for somebody may call it all the same."""
    assert unknown_resources(FakeApi(), frozenset(words)) == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["podz", "pods"], "podz (did you mean pods?)"),
        (["widgetz"], "widgetz (did you mean widgets?)"),
        (["xqxqxq", "nodez"], "nodez (did you mean nodes?), xqxqxq"),
        (["widgets.apps"], "widgets.apps (did you mean "),
    ],
)
def test_what_nobody_has_is_named(words, named):
    """In one line, with what may be meant."""
    said = unknown_resources(FakeApi(), frozenset(words))
    assert f" has {named}" in said
    assert said.endswith("; going on all the same")


@pytest.mark.parametrize("refused", ["/apis", "/apis/example.org/v1"])
def test_nothing_is_said_where_the_cluster_does_not_tell_all(refused):
    """It may be among what could not be read."""
    api = FakeApi()
    api.refused.add(refused)
    assert unknown_resources(api, frozenset({"podz"})) == ""
