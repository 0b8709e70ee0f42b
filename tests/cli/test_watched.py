"""What a watch is asked for is looked up, and it is said if none of it is recorded."""

import pytest

from apisnoop.cli import watched as module
from apisnoop.cli.watched import Watched
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.kinds import parse_references
from apisnoop.node.status import AgentPod
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import agent

OWNER = {"apiVersion": "v1", "controller": True}
SHOP = (
    made("Namespace", "shop"),
    made("Namespace", "bank"),
    made("Deployment", "web", "shop"),
    made("ReplicaSet", "web-1", "shop", ownerReferences=[{**OWNER, "kind": "Deployment", "name": "web", "uid": "web"}]),
    made("Pod", "web-1-x", "shop", ownerReferences=[{**OWNER, "kind": "ReplicaSet", "name": "web-1", "uid": "web-1"}]),
    made("Pod", "db", "bank", labels={"tier": "back"}),
)
SKIPPED = AgentPod("shop", "web-1-x", "web-1-x", "skipped", "its ca.crt does not accept us")
RECORDED = AgentPod("bank", "db", "db", "intercepting")


def watching(words=(), namespace="", selector=None):
    """Give what a command line means."""
    return Watched(FakeApi(*SHOP), namespace, parse_references(words), selector)


@pytest.mark.parametrize(
    ("words", "namespace", "says"),
    [
        (["deploy/nope"], "shop", "no deployment nope in namespace shop; see kubectl get deployments -n shop"),
        (["deploy/nope"], "", "no deployment nope in any namespace; see kubectl get deployments -A"),
        (["ns/nope"], "", "no namespace nope; see kubectl get namespaces"),
        ([], "nope", "no namespace nope; see kubectl get namespaces"),
        (["db"], "shop", "no pod db in namespace shop"),
    ],
)
def test_what_is_not_there_is_refused(words, namespace, says):
    """A typing error would wait for ever."""
    with pytest.raises(ApisnoopError, match=says):
        watching(words, namespace).demand()


@pytest.fixture
def told(monkeypatch):
    """Put words into the mouth of the only node."""

    def tell(*pods):
        monkeypatch.setattr(module, "pods_of", lambda *_: pods)

    return tell


@pytest.mark.parametrize(
    ("words", "namespace", "selector"),
    [([], "", None), (["db"], "", None), (["ns/bank"], "", None), ([], "bank", None), ([], "", "tier=back")],
)
def test_nothing_is_said_where_a_pod_that_is_meant_is_recorded(words, namespace, selector, told):
    """Its calls will come."""
    told(SKIPPED, RECORDED)
    found = watching(words, namespace, selector)
    found.demand()
    assert found.unrecorded([agent("n1")]) == ""


@pytest.mark.parametrize(("words", "namespace"), [(["deploy/web"], "shop"), (["web-1-x"], ""), ([], "shop")])
def test_a_pod_that_is_skipped_is_named_with_the_reason(words, namespace, told):
    """Others may be recorded; those were not asked for."""
    told(SKIPPED, RECORDED)
    found = watching(words, namespace)
    found.demand()
    assert found.unrecorded([agent("n1")]) == (
        "no recorded pod matches yet: pod shop/web-1-x is skipped: its ca.crt does not accept us; waiting for one"
    )


def test_what_nobody_asks_for_may_come_yet(told):
    """The command that tells more is named."""
    told()
    said = watching().unrecorded([agent("n1")])
    assert said == "no recorded pod matches yet: see kubectl apisnoop status; waiting for one"


def test_pods_that_may_not_be_listed_cannot_be_told_to_be_unrecorded(told):
    """Their calls may come."""
    told()
    api = FakeApi(*SHOP)
    api.refused.add("/api/v1/pods")
    assert Watched(api, "", (), "tier=back").unrecorded([agent("n1")]) == ""


def test_what_may_not_be_read_is_taken_for_granted(told, capsys):
    """Who may watch need not have the right to see objects."""
    told()
    api = FakeApi(*SHOP)
    api.refused.add("/apis/apps/v1/namespaces/shop/deployments/web")
    found = Watched(api, "shop", parse_references(["deploy/web"]), None)
    found.demand()
    assert found.unrecorded([agent("n1")]) == ""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("apisnoop: left out whether deployment/web is there:")
