"""The webhook's own housekeeping: certificate, trust, bundles, what it knows of the cluster."""

import base64
import logging
import time
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop.node.wanted import PART_OF, Metadata, OwnerReference
from apisnoop_webhook import attention, upkeep
from apisnoop_webhook.authority import Kept
from apisnoop_webhook.bundles import Bundles
from apisnoop_webhook.cluster import namespaced
from apisnoop_webhook.configuration import OWN_AUTHORITY
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
def cluster(monkeypatch):
    """Give a cluster as the chart leaves it, its node agents ready."""
    made = MemoryCluster()
    made.put(SECRET, {"metadata": {"name": "apisnoop-webhook-tls"}})
    made.put(CONFIGURATION, {"webhooks": [{"clientConfig": {}}, {"clientConfig": {"caBundle": "AAAA"}}]})
    made.put(LEASE, {})
    made.put(VERDICT, {"data": {"mode": "csr"}})
    made.put(AGENTS, {"status": {"desiredNumberScheduled": 3, "numberReady": 2}})
    made.put(ROOT_CA, {"data": {"ca.crt": PEM.format("AAAA")}})
    made.put("/api/v1/configmaps", {"items": []})
    monkeypatch.setattr(attention, "PAUSE", 0.001)
    yield made
    for told in made.watches.values():
        told.put(None)


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
    upkeep, _ = upkeep_of(cluster)
    upkeep.go_round()
    upkeep.stop()
    upkeep.run()
    assert cluster.get(LEASE)["spec"]["holderIdentity"] == ""


@contextmanager
def running(replica):
    """Have a replica go round by itself during a block."""
    thread = Thread(target=replica.run)
    thread.start()
    try:
        yield
    finally:
        replica.stop()
        thread.join(60)
    assert not thread.is_alive()


def changed(cluster, path):
    """Tell whoever watches an object that it has changed."""
    until(lambda: path in cluster.watches)
    cluster.watches[path].put(("MODIFIED", cluster.get(path)))


def until(holds):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_changes_is_looked_at_at_once(cluster, monkeypatch):
    """The next round that would come by itself is far away; the agents are not ready any more."""
    monkeypatch.setattr(upkeep, "PERIOD", 1000.0)
    replica, reviewer = upkeep_of(cluster)
    replica.go_round()
    with running(replica):
        cluster.put(AGENTS, {"status": {"desiredNumberScheduled": 3, "numberReady": 0}})
        changed(cluster, AGENTS)
        until(lambda: not reviewer.situation.agents_ready)


def test_an_object_that_is_told_of_again_is_not_looked_at_again(cluster):
    """A watch begins with the present state, and ends every few minutes."""
    seen, stopped = Event(), Event()
    agents = cluster.get(AGENTS)
    rounds = []

    def watch(*_):
        rounds.append(seen.is_set())
        seen.clear()
        if len(rounds) == 3:
            stopped.set()
        yield "ADDED", agents

    cluster.watch = watch
    attention.follow(cluster, AGENTS, seen, stopped)
    assert rounds == [False, True, False]
    assert not seen.is_set()


def test_a_watch_that_fails_is_tried_again_and_told_once(cluster, caplog):
    """The API server may be away for a while."""
    seen, stopped = Event(), Event()
    tries = []

    def watch(*_):
        tries.append(1)
        if len(tries) == 3:
            stopped.set()
        raise ApisnoopError("no answer")

    cluster.watch = watch
    attention.follow(cluster, AGENTS, seen, stopped)
    assert (len(tries), caplog.text.count("no answer")) == (3, 1)


def test_an_idle_replica_asks_for_its_lease_and_nothing_else(cluster, monkeypatch):
    """Two of them are not to fill the API server's audit log."""
    monkeypatch.setattr(upkeep, "PERIOD", 0.01)
    replica, _ = upkeep_of(cluster)
    replica.go_round()
    renewed, reads = [], cluster.reads
    tend = replica._leadership.tend

    def counting():
        renewed.append(tend())
        if len(renewed) == 20:
            replica.stop()

    monkeypatch.setattr(replica._leadership, "tend", counting)
    replica.run()
    assert cluster.reads - reads == len(renewed) + 1  # the last is the release


def test_who_comes_to_lead_looks_at_what_the_last_leader_left(cluster, monkeypatch):
    """It may have ended halfway through."""
    monkeypatch.setattr(upkeep, "PERIOD", 0.01)
    upkeep_of(cluster, "one")[0].go_round()
    follower, _ = upkeep_of(cluster, "two")
    follower.go_round()
    cluster.put(CONFIGURATION, {"webhooks": [{"clientConfig": {}}]})
    cluster.put(LEASE, {})
    with running(follower):
        until(lambda: cluster.get(CONFIGURATION)["webhooks"][0]["clientConfig"].get("caBundle"))


@pytest.mark.parametrize("mode", ["", "none", "something-new"])
def test_without_a_verdict_there_is_no_trust(cluster, mode):
    """Before the certificate's Job has ended, and when it found no way, no pod is made to wait."""
    cluster.put(VERDICT, {"data": {"mode": mode}})
    upkeep, reviewer = upkeep_of(cluster)
    upkeep.go_round()
    assert reviewer.situation.trust is Trust.NONE


ASKED_FOR_OWNERS = {"name": OWN_AUTHORITY, "expression": "false"}
SILENT = {"name": "the-pod-says-nothing", "expression": "!has(object.metadata.annotations)"}


@pytest.mark.parametrize(("mode", "asks"), [("own-ca", "true"), ("csr", "false")])
def test_with_our_own_authority_the_api_server_asks_about_pods_with_owners(cluster, mode, asks):
    """Only the webhook can give a marked Deployment's pods our bundle; else the agent records them by itself."""
    verdict = {"data": {"mode": mode, "ca.crt": PEM.format("BBBB")}}
    cluster.put(VERDICT, verdict)
    entry = {"clientConfig": {}, "matchConditions": [SILENT, ASKED_FOR_OWNERS]}
    cluster.put(CONFIGURATION, {"webhooks": [{"clientConfig": {}}, entry]})
    upkeep_of(cluster)[0].go_round()
    first, second = cluster.get(CONFIGURATION)["webhooks"]
    assert second["matchConditions"] == [SILENT, {"name": OWN_AUTHORITY, "expression": asks}]
    assert "matchConditions" not in first


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


def test_the_charts_empty_bundle_is_filled_and_stays_the_charts(cluster):
    """Helm knows its objects by their labels and annotations; what it has noted is not touched."""
    cluster.put(VERDICT, {"data": {"mode": "own-ca", "ca.crt": PEM.format("BBBB")}})
    path = namespaced("configmaps", HOME, BUNDLE)
    labels = {"app.kubernetes.io/managed-by": "Helm", PART_OF: "apisnoop"}
    noted = {"labels": labels, "annotations": {"meta.helm.sh/release-name": "apisnoop"}}
    cluster.put(path, {"metadata": {"name": BUNDLE, "namespace": HOME, **noted}})
    cluster.put("/api/v1/configmaps", {"items": [cluster.get(path)]})
    upkeep_of(cluster)[0].go_round()
    found = cluster.get(path)
    assert found["data"] == {"ca.crt": PEM.format("AAAA") + PEM.format("BBBB")}
    assert labels.items() <= found["metadata"]["labels"].items()
    assert noted["annotations"].items() <= found["metadata"]["annotations"].items()


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
        mounted.tend(leads=False, for_owners=False)
    assert not mounted.loaded
    upkeep_of(cluster)[0].go_round()
    leaf = kept(cluster).leaf
    (tmp_path / "tls.crt").write_text(leaf.certificate)
    (tmp_path / "tls.key").write_text(leaf.key)
    mounted.tend(leads=False, for_owners=False)
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
