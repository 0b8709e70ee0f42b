"""What the cluster says, put together for the agent."""

import msgspec

from apisnoop_tproxy.cluster import Cluster
from apisnoop_tproxy.destinations import EndpointSlice, Service, service_addresses, slice_addresses
from apisnoop_tproxy.owners import Thing
from apisnoop_tproxy.pod_facts import Pod, read_pod


class Node:
    """Remembers what it is told."""

    def __init__(self):
        self.pods = {}
        self.destinations = None

    def update(self, facts, wanted, workload=""):
        self.pods[facts.uid] = (facts, wanted, workload)

    def remove(self, uid):
        del self.pods[uid]

    def destine(self, addresses):
        self.destinations = addresses


def pod(*, owner=None, **metadata):
    """Make a pod as the API server gives it."""
    owners = (
        [{"apiVersion": "batch/v1", "kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}]
        if owner
        else []
    )
    return msgspec.convert(
        {
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "ownerReferences": owners, **metadata},
            "spec": {"serviceAccountName": "web"},
            "status": {
                "phase": "Running",
                "podIPs": [{"ip": "10.201.1.7"}],
                "containerStatuses": [{"name": "app", "containerID": "containerd://c0"}],
                "initContainerStatuses": [{"name": "wait"}],
            },
        },
        Pod,
    )


def thing(name, *, owner=None, **metadata):
    """Make an object of which only metadata is known."""
    owners = (
        [{"apiVersion": "batch/v1", "kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}]
        if owner
        else []
    )
    return msgspec.convert({"metadata": {"name": name, "uid": name, "ownerReferences": owners, **metadata}}, Thing)


def view():
    """Make a view of a cluster that is told things without an API server."""
    node = Node()
    return Cluster(None, node, "node1"), node


def test_a_pod_is_read():
    """Addresses, containers by ID, service account and owner are kept."""
    facts = read_pod(pod(owner=("Job", "tidy")))
    assert (facts.addresses, facts.containers) == ({"10.201.1.7"}, {"c0": "app"})
    assert (facts.service_account, facts.owner.name, facts.ended, facts.unfit) == ("shop/web", "tidy", False, None)


def test_which_part_of_apisnoop_a_pod_is():
    """The component counts for our own pods only."""
    ours = {"app.kubernetes.io/part-of": "apisnoop", "app.kubernetes.io/component": "agent"}
    assert read_pod(pod(labels=ours)).component == "agent"
    assert read_pod(pod(labels={**ours, "app.kubernetes.io/part-of": "shop"})).component == ""


def test_some_pods_are_left_alone():
    """Our own pods, static pods, those on the node's network or with a network stack of their own say why."""
    own = pod(labels={"app.kubernetes.io/part-of": "apisnoop"})
    static = pod(annotations={"kubernetes.io/config.mirror": "x"})
    host = msgspec.convert({"metadata": {"name": "a"}, "spec": {"hostNetwork": True}}, Pod)
    sandboxed = msgspec.convert({"metadata": {"name": "a"}, "spec": {"runtimeClassName": "gvisor"}}, Pod)
    words = ("part of apisnoop", "static pod", "hostNetwork", "gvisor")
    for one, word in zip((own, static, host, sandboxed), words, strict=True):
        assert word in read_pod(one).unfit.why


def test_owners_and_namespaces_decide_whenever_they_change():
    """Annotating an owner of an owner reaches the pod, and so does a label of its namespace, and their end."""
    cluster, node = view()
    cluster._pods.listed([pod(owner=("Job", "tidy-1"))])
    assert (node.pods["u1"][1].yes, node.pods["u1"][2]) == (False, "job/tidy-1")
    cluster._owners["Job"].listed([thing("tidy-1", owner=("CronJob", "tidy"))])
    cluster._owners["CronJob"].changed(thing("tidy", annotations={"apisnoop": "true"}))
    assert (node.pods["u1"][1].yes, node.pods["u1"][2]) == (True, "cronjob/tidy")
    cluster._owners["CronJob"].changed(thing("tidy"))
    assert not node.pods["u1"][1].yes
    cluster._namespaces.changed(thing("shop", labels={"apisnoop": "true"}))
    assert node.pods["u1"][1].yes
    cluster._namespaces.listed([thing("other", labels={"apisnoop": "true"})])
    assert not node.pods["u1"][1].yes
    cluster._pods.listed([])
    assert node.pods == {}


def test_destinations_are_told_when_all_is_known():
    """ClusterIPs and endpoints of both families make the destinations; half of them are not told."""
    cluster, node = view()
    service = {
        "metadata": {"name": "kubernetes"},
        "spec": {"clusterIPs": ["10.96.0.1", "fd00::1"], "ports": [{"port": 443}, {"port": 53, "protocol": "UDP"}]},
    }
    endpoints = {
        "metadata": {"name": "kubernetes"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.89.0.1"]}, {"addresses": ["10.89.0.2"]}],
        "ports": [{"port": 6443}],
    }
    cluster._services.listed([msgspec.convert(service, Service)])
    assert node.destinations is None
    cluster._slices.listed([msgspec.convert(endpoints, EndpointSlice)])
    assert node.destinations == {("10.96.0.1", 443), ("fd00::1", 443), ("10.89.0.1", 6443), ("10.89.0.2", 6443)}
    cluster._slices.deleted(msgspec.convert(endpoints, EndpointSlice))
    assert node.destinations == {("10.96.0.1", 443), ("fd00::1", 443)}


def test_what_has_no_address_is_no_destination():
    """Headless services and slices of host names give none."""
    headless = {"metadata": {"name": "a"}, "spec": {"clusterIPs": ["None"], "ports": [{"port": 443}]}}
    named = {
        "metadata": {"name": "a"},
        "addressType": "FQDN",
        "endpoints": [{"addresses": ["a.b"]}],
        "ports": [{"port": 1}],
    }
    assert service_addresses(msgspec.convert(headless, Service)) == set()
    assert slice_addresses(msgspec.convert(named, EndpointSlice)) == set()


def prepared(*, inits=("apisnoop-redirect",), apps=("app",), status=None, ephemeral=()):
    """Read a pod of mode init; `status` is the state of our container."""
    statuses = [{"name": "apisnoop-redirect", "state": status}] if status else []
    spec = {"initContainers": inits, "containers": apps, "ephemeralContainers": ephemeral}
    thing = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1"},
        "spec": {kind: [{"name": name} for name in names] for kind, names in spec.items()},
        "status": {"initContainerStatuses": statuses},
    }
    return read_pod(msgspec.convert(thing, Pod))


def test_whether_a_pod_is_prepared_is_read_from_its_init_container():
    """Not without it; with it, unless it has left words at its end."""
    assert prepared(inits=("apisnoop-wait",)).prepared is None
    assert prepared().prepared == ""
    assert prepared(status={"running": {}}).prepared == ""
    assert prepared(status={"terminated": {"exitCode": 0}}).prepared == ""
    assert prepared(status={"terminated": {"message": "it cannot\n"}}).prepared == "it cannot"


def test_the_only_container_is_the_one_beside_ours():
    """Every other that the specification has could have made a connection, whether it runs already or not."""
    assert prepared().only_container == "app"
    assert prepared(inits=("apisnoop-redirect", "migrate")).only_container == ""
    assert prepared(apps=("app", "sidecar")).only_container == ""
    assert prepared(ephemeral=("debug",)).only_container == ""
