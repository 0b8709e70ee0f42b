"""The webhook's own housekeeping: certificate, trust, bundles, what it knows of the cluster."""

import base64
import logging
from threading import Event

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop.node.wanted import Metadata, OwnerReference
from apisnoop_webhook.authority import Kept
from apisnoop_webhook.bundles import Bundles
from apisnoop_webhook.cluster import namespaced
from apisnoop_webhook.files_certificate import FilesCertificate
from apisnoop_webhook.lease import Leadership
from apisnoop_webhook.lookup import ClusterLookup
from apisnoop_webhook.own_certificate import OwnCertificate
from apisnoop_webhook.reviewer import Reviewer
from apisnoop_webhook.server import make_tls
from apisnoop_webhook.settings import Situation, Trust
from apisnoop_webhook.upkeep import Upkeep, are_ready
from webhook.memory_cluster import MemoryCluster
from webhook.reviews import INJECTION

HOME = "apisnoop"
SECRET = namespaced("secrets", HOME, "apisnoop-webhook-tls")
CONFIGURATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/apisnoop"
LEASE = namespaced("leases", HOME, "apisnoop-webhook", group="coordination.k8s.io/v1")
VERDICT = namespaced("configmaps", HOME, "apisnoop-certificate")
AGENTS = namespaced("daemonsets", HOME, "apisnoop-agent", group="apps/v1")
ROOT_CA = namespaced("configmaps", HOME, "kube-root-ca.crt")
BUNDLE = INJECTION.bundle
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def cluster() -> MemoryCluster:
    """Give a cluster as the chart leaves it, its node agents ready."""
    made = MemoryCluster()
    made.put(SECRET, {"metadata": {"name": "apisnoop-webhook-tls"}})
    made.put(CONFIGURATION, {"webhooks": [{"clientConfig": {}}, {"clientConfig": {"caBundle": "AAAA"}}]})
    made.put(LEASE, {})
    made.put(VERDICT, {"data": {"mode": "csr"}})
    made.put(AGENTS, {"status": {"desiredNumberScheduled": 3, "numberReady": 2}})
    made.put(ROOT_CA, {"data": {"ca.crt": PEM.format("AAAA")}})
    made.put("/api/v1/configmaps", {"items": []})
    return made


def upkeep_of(cluster, identity="one", certificate=None):
    """Make one replica; gives its upkeep and what it reviews with."""
    bundles = Bundles(cluster, BUNDLE, HOME)
    reviewer = Reviewer(INJECTION, ClusterLookup(cluster, bundles))
    own = certificate or OwnCertificate(cluster, (HOME, "apisnoop-webhook-tls"), "apisnoop", ("name.svc",), make_tls())
    leadership = Leadership(cluster, HOME, "apisnoop-webhook", identity)
    places = {"agents": (HOME, "apisnoop-agent"), "verdict": (HOME, "apisnoop-certificate")}
    return Upkeep(cluster, reviewer, leadership, own, bundles, **places), reviewer


def kept(cluster):
    """Read what the Secret holds."""
    data = cluster.get(SECRET).get("data") or {}
    return Kept.read({key: base64.b64decode(value).decode() for key, value in data.items()})


def trusted(cluster):
    """Read what each entry of the configuration trusts."""
    entries = cluster.get(CONFIGURATION)["webhooks"]
    return [base64.b64decode(entry["clientConfig"]["caBundle"]).decode() for entry in entries]


def test_one_round_is_enough_to_serve(cluster):
    """A certificate is made, kept and trusted, and the cluster has been looked at."""
    upkeep, reviewer = upkeep_of(cluster)
    assert not upkeep.ready
    upkeep.go_round()
    assert upkeep.ready
    assert reviewer.situation == Situation(trust=Trust.CLUSTER, agents_ready=True)
    assert trusted(cluster) == [kept(cluster).trusted] * 2


def test_the_replica_that_follows_serves_with_the_same_certificate_and_writes_nothing(cluster):
    """Only the leader writes."""
    upkeep_of(cluster, "one")[0].go_round()
    before = {path: thing["metadata"]["resourceVersion"] for path, thing in cluster.objects.items()}
    follower, _ = upkeep_of(cluster, "two")
    follower.go_round()
    assert follower.ready
    assert before == {path: thing["metadata"]["resourceVersion"] for path, thing in cluster.objects.items()}


def test_a_quiet_round_writes_the_lease_and_nothing_else(cluster):
    """What is right is left alone."""
    upkeep, _ = upkeep_of(cluster)
    upkeep.go_round()
    before = {path: thing["metadata"]["resourceVersion"] for path, thing in cluster.objects.items()}
    upkeep.go_round()
    changed = {path for path, thing in cluster.objects.items() if thing["metadata"]["resourceVersion"] != before[path]}
    assert changed == {LEASE}


@pytest.mark.parametrize("data", [None, {"ca.crt": "bm9uc2Vuc2U=", "ca.key": "%%%"}])
def test_a_spoilt_secret_is_begun_anew(cluster, data):
    """Somebody emptied it or wrote nonsense into it."""
    upkeep, _ = upkeep_of(cluster)
    upkeep.go_round()
    cluster.put(SECRET, {**cluster.get(SECRET), "data": data})
    upkeep.go_round()
    assert trusted(cluster) == [kept(cluster).trusted] * 2


def test_a_chore_that_fails_keeps_no_other_from_being_done_and_is_told_once(cluster, caplog):
    """Without the agents' object, certificate and trust are tended all the same."""
    caplog.set_level(logging.INFO)
    agents = cluster.objects.pop(AGENTS)
    upkeep, reviewer = upkeep_of(cluster)
    upkeep.go_round()
    upkeep.go_round()
    assert not upkeep.ready
    assert reviewer.situation.trust is Trust.CLUSTER
    assert caplog.text.count("cannot tend the node agents") == 1
    cluster.put(AGENTS, agents)
    upkeep.go_round()
    assert upkeep.ready
    assert "could tend the node agents again" in caplog.text


def test_the_end_lets_go_of_the_lease(cluster):
    """The next leader need not wait."""
    stop = Event()
    stop.set()
    upkeep, _ = upkeep_of(cluster)
    upkeep.go_round()
    upkeep.run(stop)
    assert cluster.get(LEASE)["spec"]["holderIdentity"] == ""


@pytest.mark.parametrize("mode", ["", "none", "something-new"])
def test_without_a_verdict_there_is_no_trust(cluster, mode):
    """Before the certificate's Job has ended, and when it found no way, no pod is made to wait."""
    cluster.put(VERDICT, {"data": {"mode": mode}})
    upkeep, reviewer = upkeep_of(cluster)
    upkeep.go_round()
    assert reviewer.situation.trust is Trust.NONE


def test_in_own_ca_mode_bundles_are_kept_right_and_none_is_made_ahead(cluster):
    """The leader keeps them at the cluster's authorities and ours; namespaces are not even looked at."""
    cluster.put(VERDICT, {"data": {"mode": "own-ca", "ca.crt": PEM.format("BBBB")}})
    path = namespaced("configmaps", "old", BUNDLE)
    cluster.put(path, {"metadata": {"name": BUNDLE, "namespace": "old"}, "data": {"ca.crt": "old"}})
    cluster.put("/api/v1/configmaps", {"items": [cluster.get(path)]})
    there = set(cluster.objects)
    upkeep, reviewer = upkeep_of(cluster)
    upkeep.go_round()
    assert reviewer.situation.trust is Trust.OWN
    assert cluster.get(path)["data"] == {"ca.crt": PEM.format("AAAA") + PEM.format("BBBB")}
    assert set(cluster.objects) == there


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({}, False),
        ({"desiredNumberScheduled": 0, "numberReady": 0}, False),
        ({"desiredNumberScheduled": 2, "numberReady": 1}, False),
        ({"desiredNumberScheduled": 3, "numberReady": 2}, True),
    ],
)
def test_agents_are_ready_when_most_nodes_have_one(status, ready):
    """One node out of order does not leave all pods unprepared."""
    assert are_ready(status) is ready


def test_files_that_somebody_else_keeps_are_served_when_they_change(cluster, tmp_path):
    """cert-manager's Secret, mounted; while there is none, the replica is not ready and says why."""
    mounted = FilesCertificate(tmp_path, make_tls())
    with pytest.raises(ApisnoopError, match=r"tls\.crt"):
        mounted.tend(leads=False)
    assert not mounted.loaded
    upkeep_of(cluster)[0].go_round()
    leaf = kept(cluster).leaf
    (tmp_path / "tls.crt").write_text(leaf.certificate)
    (tmp_path / "tls.key").write_text(leaf.key)
    mounted.tend(leads=False)
    assert mounted.loaded


def test_owners_are_followed_to_the_top_and_remembered(cluster):
    """A pod's ReplicaSet, then its Deployment; a hundred pods of it ask once."""
    up = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}
    fields = [{"manager": "x", "fieldsV1": {"f:metadata": {}}}]
    replica_set = {"metadata": {"name": "web-1", "ownerReferences": [up], "managedFields": fields}}
    cluster.put(namespaced("replicasets", "shop", "web-1", group="apps/v1"), replica_set)
    deployment = namespaced("deployments", "shop", "web", group="apps/v1")
    cluster.put(deployment, {"metadata": {"name": "web", "annotations": {"apisnoop": "false"}}})
    lookup = ClusterLookup(cluster, Bundles(cluster, BUNDLE, HOME))
    pod = Metadata(owner_references=[OwnerReference("apps/v1", "ReplicaSet", "web-1", "r", controller=True)])
    assert [marks.mark for marks in lookup.owners(pod, "shop")] == ["", "false"]
    del cluster.objects[deployment]
    assert [marks.mark for marks in lookup.owners(pod, "shop")] == ["", "false"]


def test_an_owner_of_a_kind_of_its_own_is_not_asked(cluster):
    """What a custom resource wants, it says on the pods it makes."""
    pod = Metadata(owner_references=[OwnerReference("example.com/v1", "Widget", "w", "u", controller=True)])
    assert ClusterLookup(cluster, Bundles(cluster, BUNDLE, HOME)).owners(pod, "shop") == []
