"""Which pods are asked for, and what follows from a mark."""

import pytest

from apisnoop.fleet.consequences import consequences
from apisnoop.fleet.facts import is_init_mode
from apisnoop.fleet.kinds import DEPLOYMENT, NAMESPACE, POD
from apisnoop.fleet.wishes import Wishes, above_from
from apisnoop.node.wanted import MARK
from tests.fleet.things import LABELS, NOW, ON, agent, pod, thing, wishes

OFF = {MARK: "false"}
OF_WEB = ("ReplicaSet", "web-1")


@pytest.mark.parametrize(
    ("deployment", "namespace", "own", "why"),
    [
        (ON, {}, {}, "apisnoop=true on deployment web"),
        ({}, ON, {}, "apisnoop=true on namespace shop"),
        (OFF, ON, {}, "apisnoop=false on deployment web"),
        (OFF, ON, ON, "apisnoop=true on pod web-0"),
        ({}, {}, {}, "nothing asks for it"),
    ],
)
def test_the_nearest_object_decides_over_replica_set_and_deployment(deployment, namespace, own, why):
    """The Deployment is found above the ReplicaSet that made the pod, as the node agents find it."""
    found = wishes({"web": deployment}, {"shop": namespace}).of(pod("web-0", owner=OF_WEB, annotations=own), NOW)
    assert found.why == why


def test_what_was_copied_to_a_replica_set_counts_for_nothing():
    """The Deployment controller puts a Deployment's annotations there and leaves them when they are taken back."""
    left = Wishes(
        above_from("replicaset", [thing("web-1", owner=("Deployment", "web"), annotations=ON)])
        | above_from("deployment", [thing("web")]),
        {},
    )
    assert not left.of(pod("web-0", owner=OF_WEB), NOW).yes


def test_our_own_pods_are_never_asked_for():
    """Not even in a namespace that asks for all."""
    assert not wishes(namespaces={"apisnoop": ON}).of(pod("apisnoop-agent-x", "apisnoop", labels=LABELS), NOW).yes


def test_owners_in_a_circle_end():
    """Nobody checks what ownerReferences say."""
    found = wishes({"web": {}})
    circle = {**found.owners, "web": type(found.owners["web"])(found.owners["web"].marks, "web-1")}
    odd = type(found)(circle, found.namespaces)
    assert not odd.of(pod("web-0", owner=OF_WEB), NOW).yes
    assert not odd.is_below(pod("web-0", owner=OF_WEB), "db")


def follows(kind, name, *pods, said=None, only_prepared=False):
    """Tell what follows from a mark on an object."""
    known = said or wishes({"web": ON, "db": {}})
    found = consequences(kind, thing(name).metadata, pods, known, NOW, only_prepared=only_prepared)
    return [key for key, _ in found.recorded], dict(found.others)


def test_a_deployments_pods_follow_it():
    """Those of its ReplicaSets, but none of another's and none that has ended."""
    pods = [
        pod("web-0", owner=OF_WEB),
        pod("web-done", owner=OF_WEB, status={"phase": "Succeeded"}),
        pod("db-0", owner=("ReplicaSet", "db-1")),
        pod("alone"),
    ]
    assert follows(DEPLOYMENT, "web", *pods) == (["shop/web-0"], {})


def test_in_mode_init_pods_that_were_made_before_are_named():
    """They have no init container of ours; who restarts the Deployment gets some that have."""
    prepared = {"initContainers": [{"name": "apisnoop-redirect"}]}
    pods = [pod("web-0", owner=OF_WEB), pod("web-1", owner=OF_WEB, spec=prepared)]
    recorded, others = follows(DEPLOYMENT, "web", *pods, only_prepared=True)
    assert recorded == ["shop/web-1"]
    assert "rollout restart" in others["shop/web-0"]
    assert follows(DEPLOYMENT, "web", *pods) == (["shop/web-0", "shop/web-1"], {})


@pytest.mark.parametrize(("value", "expected"), [("init", True), ("agent", False)])
def test_an_agents_pod_tells_the_mode(value, expected):
    """By the setting that the agent itself reads."""
    container = {"name": "agent", "env": [{"name": "APISNOOP_INTERCEPTION", "value": value}]}
    assert is_init_mode(agent("n1", spec={"containers": [container]})) is expected
    assert not is_init_mode(agent("n1"))


def test_pods_that_say_no_or_cannot_be_recorded_are_named():
    """Each with the reason, so that nobody waits for them."""
    pods = [
        pod("web-0", owner=OF_WEB, annotations=OFF),
        pod("web-x", owner=OF_WEB, spec={"hostNetwork": True}),
    ]
    recorded, others = follows(DEPLOYMENT, "web", *pods)
    assert not recorded
    assert others["shop/web-0"] == "apisnoop=false on pod web-0"
    assert "node's network" in others["shop/web-x"]


def test_a_pod_follows_its_own_mark():
    """And no other pod does."""
    assert follows(POD, "web-0", pod("web-0", annotations=ON), pod("web-1")) == (["shop/web-0"], {})


def test_a_namespace_concerns_all_its_pods():
    """But not those of another."""
    said = wishes({"db": OFF}, {"shop": ON})
    pods = [pod("web-0"), pod("db-0", owner=("ReplicaSet", "db-1")), pod("x", "bank")]
    recorded, others = follows(NAMESPACE, "shop", *pods, said=said)
    assert recorded == ["shop/web-0"]
    assert list(others) == ["shop/db-0"]


def test_with_our_own_authority_only_pods_that_have_the_bundle_are_recorded():
    """Others have to be made anew; what does that is named, where there is a command."""
    volume = {"projected": {"sources": [{"configMap": {"name": "apisnoop-root-ca.crt"}}]}}
    pods = [pod("web-0", owner=OF_WEB), pod("web-1", owner=OF_WEB, spec={"volumes": [volume]}), pod("alone")]
    said = wishes({"web": ON}, {"shop": ON})
    found = consequences(NAMESPACE, thing("shop").metadata, pods, said, NOW, own_authority=True)
    assert [key for key, _ in found.recorded] == ["shop/web-1"]
    anew = "own authority: takes effect when the pod is made anew"
    assert dict(found.others) == {
        "shop/web-0": f"{anew}: kubectl rollout restart deployment/web -n shop",
        "shop/alone": anew,
    }
