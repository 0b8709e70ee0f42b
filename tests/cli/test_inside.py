"""The verbs for what runs inside a cluster, one after the other as a person uses them, on a real one with two nodes."""

import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from apisnoop.fleet.kinds import DEPLOYMENT
from tests.charts.installation import HOME, IMAGES, PROVEN, Installation, until
from tests.charts.workloads import deployment, listed, pod, reader, steadily

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
PATIENCE = "240"


class Inside:
    """The verbs, run as the plugin that kubectl finds."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.without_helm = f"{cluster.kubectl_path.parent}:{Path(sys.executable).parent}"
        programs = f"{self.without_helm}:{cluster.helm_path.parent}:/usr/bin:/bin"
        self.environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": programs}

    def run(self, *words, expect=0, **environment):
        """Run `kubectl apisnoop WORDS...`; give what it wrote to standard output and error."""
        done = subprocess.run(
            ["kubectl", "apisnoop", *map(str, words)],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr

    def status(self, namespace):
        """Give the state of the pods of a namespace, by name."""
        found = json.loads(self.run("status", "-n", namespace, "-o", "json")[0])
        return {one["name"]: one for one in found["pods"]}

    @contextmanager
    def watching(self, *words):
        """Run watch for the time of a block; gives the process."""
        command = ["kubectl", "apisnoop", "watch", *words]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def inside(two_nodes, apisnoop_archive, apisnoop_proxy_archive):
    """Give the verbs, for a cluster that has the images."""
    for archive in (apisnoop_archive, apisnoop_proxy_archive):
        two_nodes.load_image(archive)
    # Others may have made the namespace, and `uninstall` takes only one that `install` has made.
    two_nodes.kubectl("delete", "namespace", HOME, "--ignore-not-found", "--timeout=120s")
    found = Inside(two_nodes)
    yield found
    found.run("uninstall", "--yes")


def install(inside, *words, **expected):
    """Install with the images of the test."""
    return inside.run("install", "--timeout", PATIENCE, *(f"--set={one}" for one in IMAGES), *words, **expected)


@pytest.fixture
def shop(two_nodes):
    """A namespace with a Deployment and a pod that call the API all the time."""
    name = f"cli-{secrets.token_hex(3)}"
    two_nodes.kubectl("create", "namespace", name)
    two_nodes.kubectl("wait", "serviceaccount/default", "--for=create", "--timeout=60s", "-n", name)
    two_nodes.apply(reader(name), name)
    things = listed(deployment("web", steadily(name)), pod("bare", steadily(name)))
    two_nodes.kubectl("apply", "-f", "-", "-n", name, stdin=things)
    two_nodes.kubectl("rollout", "status", "deployment/web", "-n", name, "--timeout=120s")
    two_nodes.kubectl("wait", "pod/bare", "--for=condition=Ready", "--timeout=120s", "-n", name)
    yield name
    two_nodes.kubectl("delete", "namespace", name, "--wait=false")


def calls_of(text):
    """Add up the calls that `pull` tells of, and those that are new."""
    lines = [line.partition(": ")[2].split() for line in text.splitlines()]
    return sum(int(line[0].replace(",", "")) for line in lines), sum(int(line[2].replace(",", "")) for line in lines)


def test_from_install_to_uninstall(inside, two_nodes, shop, tmp_path):
    """Install, look, switch on, watch, pull twice, report, switch off, remove: and nothing is left."""
    until(lambda: not Installation(two_nodes).traces(), 120)  # another test's namespace may be on its way out
    assert "not installed" in inside.run("doctor", expect=1)[0]

    said, _ = install(inside)
    assert "apisnoop is ready in namespace apisnoop, on 2 nodes" in said
    assert "signed by the cluster" in said
    assert inside.run("doctor")[0] == "Nothing is wrong.\n"

    said, _ = inside.run("on", "deploy/web", "bare", "-n", shop, "--for", "1h")
    assert f"{DEPLOYMENT.name}/web: on until" in said
    recorded = until(
        lambda: (found := inside.status(shop)) and all(one["calls"] for one in found.values()) and found, 90
    )
    assert {one["state"] for one in recorded.values()} == {"intercepting"}
    assert len(recorded) == 2

    with inside.watching("-n", shop, "deploy/web", "-o", "json") as process:
        call = json.loads(process.stdout.readline())
    assert call["caller"]["workload"] == "deployment/web"
    assert (call["verb"], call["resource"], call["status"]) == ("get", "configmaps", 200)

    db = tmp_path / "pulled.db"
    first, _ = calls_of(inside.run("pull", "--db", db)[0])
    inside.run("off", "deploy/web", "bare", "-n", shop)
    until(lambda: not inside.status(shop), 60)
    second, new = calls_of(inside.run("pull", "--db", db)[0])
    assert 0 < first <= second
    assert second == first + new
    assert calls_of(inside.run("pull", "--db", db)[0]) == (second, 0)
    report = json.loads(inside.run("coverage", "--db", db, "-o", "json")[0])
    assert report["origin"]["calls"] == second
    of_cluster = json.loads(inside.run("coverage", "--cluster", "-o", "json")[0])
    assert of_cluster["operations"] == report["operations"]
    assert f"namespace: {shop}" in inside.run("rbac", "--cluster")[0]

    inside.run("on", "bare", "-n", shop)
    until(lambda: inside.status(shop).get("bare", {}).get("state") == "intercepting", 60)
    said, _ = inside.run("uninstall", "--yes")
    assert said.startswith("apisnoop is removed")
    assert Installation(two_nodes).rules(shop, "bare") == ""
    two_nodes.kubectl("wait", f"namespace/{HOME}", "--for=delete", "--timeout=120s")
    assert Installation(two_nodes).traces() == []
    status = two_nodes.get("pod", "bare", "-n", shop)["status"]
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert inside.run("uninstall", "--yes")[0] == "There is nothing of apisnoop in this cluster\n"


@pytest.fixture
def recorded_pods(inside, two_nodes, shop):
    """Install with our own authority, and have a pod on each node recorded; gives their names."""
    # The short limit is for a pod whose node restarts when everything is gone: its init container finds nobody.
    install(inside, "--set=certificate.mode=own-ca", "--set=webhook.waitLimit=5")
    inside.run("on", f"ns/{shop}")
    for number in (1, 2):
        spec = {**steadily(shop), "nodeName": f"node{number}"}
        two_nodes.kubectl("apply", "-f", "-", "-n", shop, stdin=listed(pod(f"new{number}", spec)))
    new = {"new1", "new2"}
    found = until(
        lambda: (seen := inside.status(shop)) and all(seen.get(name, {}).get("calls") for name in new) and seen, 180
    )
    assert {found[name]["state"] for name in new} == {"intercepting"}
    assert {found[name]["state"] for name in found.keys() - new} == {"skipped"}
    return new


def test_our_own_authority_serves_pods_made_since_and_leaves_them_their_bundle(inside, two_nodes, shop, recorded_pods):
    """Older pods are skipped; the bundle stays as long as a pod mounts it, is all that stays, and then goes, too.

    The pod of `helm test` trusts our authority as well, and its bundle goes with the rest.
    """
    assert PROVEN in Installation(two_nodes).proof()
    _, errors = inside.run("uninstall", "--yes")
    assert f"in namespace {HOME}" not in errors
    assert f"ConfigMap apisnoop-root-ca.crt stays in namespace {shop}" in errors
    two_nodes.kubectl("wait", f"namespace/{HOME}", "--for=delete", "--timeout=240s")
    for name in recorded_pods:
        assert Installation(two_nodes).rules(shop, name) == ""
        assert not any(one["restartCount"] for one in containers(two_nodes, shop, name))
    assert Installation(two_nodes).traces() == [f"ConfigMap {shop}/apisnoop-root-ca.crt"]
    two_nodes.kubectl("delete", "pods", *recorded_pods, "-n", shop)
    inside.run("uninstall", "--yes")
    assert Installation(two_nodes).traces() == []


def test_a_node_that_is_down_is_missing_and_named(inside, two_nodes, shop, recorded_pods, tmp_path):
    """By status, pull and uninstall; when it is back nothing has effect there, and pods run and restart."""
    two_nodes.stop_node(2)
    try:
        seen = json.loads(inside.run("status", "-n", shop, "-o", "json")[0])
        assert {node["name"]: node["state"] for node in seen["nodes"]} == {"node1": "well", "node2": "no answer"}
        assert {one["state"] for one in seen["pods"] if one["node"] == "node2"} == {"missing"}
        said, errors = inside.run("pull", "--db", tmp_path / "pulled.db", "--timeout", "5", expect=3)
        assert said.startswith("node1: ")
        assert "node node2 does not answer" in errors
        _, errors = inside.run("uninstall", "--yes", "--timeout", "5", expect=1)
        assert "node node2 did not answer" in errors
        assert f"ConfigMap apisnoop-root-ca.crt stays in namespace {shop}" in errors
        left = Installation(two_nodes).traces()
        assert f"ConfigMap {shop}/apisnoop-root-ca.crt" in left
        assert {one for one in left if not one.startswith(("Pod ", "ConfigMap "))} == set()
    finally:
        two_nodes.start_node(2)
    two_nodes.kubectl("wait", f"namespace/{HOME}", "--for=delete", "--timeout=240s")
    until(lambda: all(one["restartCount"] and one["ready"] for one in containers(two_nodes, shop, "new2")), 120)
    two_nodes.kubectl("rollout", "restart", "deployment/web", "-n", shop)
    two_nodes.kubectl("rollout", "status", "deployment/web", "-n", shop, "--timeout=120s")
    for name in recorded_pods:
        assert Installation(two_nodes).rules(shop, name) == ""
    assert not any(one["restartCount"] for one in containers(two_nodes, shop, "new1"))
    assert Installation(two_nodes).traces() == [f"ConfigMap {shop}/apisnoop-root-ca.crt"]


def containers(cluster, namespace, name):
    """Give the states of a pod's containers."""
    return cluster.get("pod", name, "-n", namespace)["status"].get("containerStatuses", [])


def test_an_install_that_fails_says_why_and_goes_without_helm(inside, two_nodes):
    """An image that is not there: named at once by install, doctor and status, and removed by labels without Helm."""
    _, errors = install(inside, "--set=image.proxy.tag=none", "--timeout", "600", expect=1)
    assert "it is not ready, and will not be without its images" in errors
    missing = "image apisnoop-proxy:none cannot be pulled (ErrImageNeverPull)"
    for said in (errors, inside.run("doctor", expect=1)[0], inside.run("status")[0]):
        assert missing in said
    assert "job/" not in errors
    inside.run("uninstall", "--yes", PATH=inside.without_helm)
    two_nodes.kubectl("wait", f"namespace/{HOME}", "--for=delete", "--timeout=120s")
    assert Installation(two_nodes).traces() == []


def test_without_helm_nothing_is_installed(inside):
    """The message says what is missing and where the chart is."""
    _, errors = inside.run("install", expect=3, PATH=inside.without_helm)
    assert "helm is not on the PATH" in errors
    assert "charts/apisnoop" in errors
