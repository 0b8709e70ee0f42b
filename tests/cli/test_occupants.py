"""What keeps a namespace that we have made."""

from apisnoop.cli.home import MANAGED_BY, OURS, remove_namespace
from apisnoop.cli.occupants import occupants
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS

HOME = "apisnoop"
NAMESPACE = made("Namespace", HOME, labels={MANAGED_BY: OURS})
OWNER = {"apiVersion": "v1", "name": "owner", "uid": "u"}
COMMON = (
    NAMESPACE,
    made("ConfigMap", "kube-root-ca.crt", HOME),
    made("ServiceAccount", "default", HOME),
    made("Event", "something", HOME),
    made("Secret", "apisnoop-leaf", HOME, labels=LABELS),
    made("Pod", "agent-1", HOME, ownerReferences=[{**OWNER, "kind": "DaemonSet"}]),
    made("Pod", "going", HOME, deletionTimestamp="2026-01-01T00:00:00Z"),
    made("Secret", "theirs", "elsewhere"),
)


def test_what_every_namespace_has_and_what_is_ours_keeps_nothing():
    """Nobody would miss it."""
    api = FakeApi(*COMMON)
    assert remove_namespace(api, HOME) == []
    assert api.deleted == [f"/api/v1/namespaces/{HOME}"]


def test_what_is_somebody_elses_keeps_the_namespace():
    """Of any kind that the server has, also one that nobody has heard of."""
    foreign = (
        made("Secret", "theirs", HOME),
        made("Widget", "odd", HOME),
        made("ConfigMap", "default", HOME),
        made("Deployment", "web", HOME),
    )
    api = FakeApi(*COMMON, *foreign)
    assert remove_namespace(api, HOME) == ["ConfigMap default", "Deployment web", "Secret theirs", "Widget odd"]
    assert api.deleted == []


def test_what_is_owned_by_something_in_no_namespace_keeps_the_namespace():
    """Its owner does not go with the namespace, and is not looked at."""
    api = FakeApi(*COMMON, made("Secret", "theirs", HOME, ownerReferences=[{**OWNER, "kind": "Namespace"}]))
    assert remove_namespace(api, HOME) == ["Secret theirs"]


def test_what_cannot_be_looked_at_keeps_the_namespace():
    """There may be something."""
    api = FakeApi(*COMMON)
    api.refused.add("/apis/example.org/v1")
    (found,) = occupants(api, HOME)
    assert "/apis/example.org/v1" in found


def test_a_namespace_that_we_have_not_made_stays_unasked():
    """It was there before us."""
    api = FakeApi(made("Namespace", HOME))
    assert remove_namespace(api, HOME) is None
    assert api.deleted == []
