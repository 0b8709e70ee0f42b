"""Mode init in a real cluster: a DaemonSet without any privilege, and pods that their own init container prepares.

It takes more than half a minute, for it is the only release in this mode, and each thing that a person does is done.
"""

import contextlib
import http.client
import json
import subprocess
from urllib.parse import urlsplit

import pytest

from apisnoop.node.wanted import REDIRECT_CONTAINER
from tests.charts.installation import HOME, PROVEN, PROXY_PORT, until
from tests.charts.planted import assert_nothing_leaks, plant
from tests.charts.workloads import MARK, REQUESTS, deployment, listed, once, pod
from tests.inside.seen import Tap, compare

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ENFORCED = "pod-security.kubernetes.io/enforce"
ASK = "for i in $(seq {count}); do kubectl get --raw /api/v1/namespaces/{namespace}/configmaps >/dev/null; done"
MORE = ("kubectl get configmaps", "kubectl get configmap none", "kubectl get configmaps --watch --request-timeout=2s")
"""Other calls than the first: a list, a failure, a watch."""
KILL = "for p in /proc/[0-9]*; do grep -qs apisnoop-prox[y] $p/cmdline && kill -9 ${p#/proc/}; done; true"
"""Of the proxy's processes in a node."""


@pytest.fixture(scope="module")
def home(release):
    """Have the release's namespace enforce PodSecurity `restricted`; a release in this mode goes with the module."""
    if release.installed:
        release.uninstall()
    enforce(release, "restricted")
    yield release
    if release.installed:
        release.uninstall()
    enforce(release, "privileged")


@pytest.fixture
def init_mode(home):
    """Have the release be there, in this mode."""
    if not home.installed:
        home.install("interception.mode=init")
    until(home.prepares)
    return home


def enforce(release, level):
    """Have the release's namespace, which is made if need be, enforce a level of PodSecurity."""
    labels = {ENFORCED: level}
    release.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME, "labels": labels}})


@pytest.fixture
def kubectl(two_nodes, a_namespace):
    """Run kubectl in a namespace of the test's own."""
    where = a_namespace()

    def run(*words, **keywords):
        return two_nodes.kubectl("--namespace", where, *words, **keywords)

    run.namespace = where
    return run


@contextlib.contextmanager
def tapped(release, node):
    """Listen to what a node's proxy records, from its beginning."""

    class Forwarded:
        def connect(self):
            return http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    with release.forwarded(release.agents()[node], PROXY_PORT) as url, Tap(Forwarded()) as tap:
        yield tap


def placed(node, name, namespace, **metadata):
    """Make a pod on a node that asks the API from its first moment on."""
    return pod(name, {**once(namespace), "nodeName": node}, **metadata)


def ask(kubectl, name, count):
    """Have a pod ask so many times, each on a new connection; raises if one of them fails."""
    kubectl("exec", name, "--", "sh", "-ec", ASK.format(count=count, namespace=kubectl.namespace))


def state_of(release, node, name):
    """Ask the agent how it stands with a pod."""
    found = json.loads(release.ask(release.agents()[node], 15020, "/status"))
    return next(((one["state"], one["reason"]) for one in found["pods"] if one["name"] == name), None)


def is_recorded(release, node, name):
    """Tell whether a pod's new connections are led to the proxy at this moment."""
    return state_of(release, node, name) == ("intercepting", "Wanted")


def test_nothing_of_the_daemon_set_has_a_privilege(init_mode):
    """The API server let it in where `restricted` is enforced; `helm test` has a pod recorded all the same."""
    for name in init_mode.agents().values():
        spec = json.loads(init_mode.kubectl("get", "pod", name, "-o", "json"))["spec"]
        assert not spec.get("hostPID")
        assert not any(one["securityContext"]["capabilities"].get("add") for one in spec["containers"])
        assert not any(port.get("hostPort") for one in spec["containers"] for port in one.get("ports", ()))
    enforce(init_mode, "privileged")  # the test's pod has the init container
    assert PROVEN in init_mode.proof()
    init_mode.kubectl("delete", "pod", "apisnoop-test")
    enforce(init_mode, "restricted")


def test_a_new_pods_calls_are_those_of_the_audit_log(init_mode, two_nodes, kubectl):
    """From its first call on: none missing, none extra, and with pod, container and service account."""
    node = two_nodes.nodes[0].name
    user = f"system:serviceaccount:{kubectl.namespace}:default"
    with tapped(init_mode, node) as tap:
        kubectl("apply", "-f", "-", stdin=listed(placed(node, "fresh", kubectl.namespace, **MARK)))
        kubectl("wait", "pod/fresh", "--for=condition=Ready", "--timeout=60s")
        ask(kubectl, "fresh", 50)
        kubectl("exec", "fresh", "--", "sh", "-c", "; ".join([*MORE, "true"]))
        until(lambda: len(tap.seen(kubectl.namespace)) >= REQUESTS + 50)
        truth = compare(two_nodes.audit_log, tap, user)
    assert truth.agreement.holds, str(truth.agreement)
    assert truth.agreement.events >= REQUESTS + 50 + len(MORE)
    assert truth.wrongly_attributed({"app": ""}) == []
    assert {one.who.node for one in truth.seen} == {node}


def test_a_prepared_pod_is_let_go_and_taken_up_again(init_mode, two_nodes, kubectl):
    """Un-annotated, its calls are direct and unrecorded at once; annotated again they are recorded, without restart."""
    node = two_nodes.nodes[0].name
    kubectl("apply", "-f", "-", stdin=listed(placed(node, "on-and-off", kubectl.namespace, **MARK)))
    kubectl("wait", "pod/on-and-off", "--for=condition=Ready", "--timeout=60s")
    kubectl("annotate", "pod/on-and-off", "apisnoop-")
    until(lambda: not is_recorded(init_mode, node, "on-and-off"))
    with tapped(init_mode, node) as tap:
        ask(kubectl, "on-and-off", 5)
        kubectl("annotate", "pod/on-and-off", "apisnoop=true")
        until(lambda: is_recorded(init_mode, node, "on-and-off"))
        ask(kubectl, "on-and-off", 7)
        until(lambda: len(tap.seen(kubectl.namespace)) >= 7)
        assert len(tap.seen(kubectl.namespace)) == 7


def test_a_pod_made_before_is_skipped_until_it_is_made_anew(init_mode, kubectl, tmp_path):
    """Its Deployment's annotation says so; after a restart of the Deployment the pods are recorded from the start."""
    kubectl("apply", "-f", "-", stdin=listed(deployment("web", once(kubectl.namespace))))
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    (before,) = json.loads(kubectl("get", "pods", "-o", "json"))["items"]
    kubectl("annotate", "deployment/web", "apisnoop=true")
    name, node = before["metadata"]["name"], before["spec"]["nodeName"]
    until(lambda: state_of(init_mode, node, name) == ("skipped", "NotPrepared"))
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    found = until(lambda: init_mode.calls_of(tmp_path, kubectl.namespace))
    assert name not in {pod for pod, *_ in found}
    until(lambda: set(init_mode.calls_of(tmp_path, kubectl.namespace).values()) == {REQUESTS})


def test_what_a_prepared_pod_keeps_secret_is_nowhere(init_mode, two_nodes, kubectl, tmp_path):
    """Not in the log of its init container or of any of ours, in Events, ConfigMaps, snapshots or answers."""
    plant(two_nodes, kubectl.namespace)
    assert_nothing_leaks(init_mode, kubectl.namespace, REDIRECT_CONTAINER, tmp_path)


def test_a_killed_proxy_takes_no_api_server_with_it(init_mode, two_nodes, kubectl):
    """Calls go past it at once, and through the next one when that is there."""
    node = two_nodes.nodes[0]
    kubectl("apply", "-f", "-", stdin=listed(placed(node.name, "steady", kubectl.namespace, **MARK)))
    kubectl("wait", "pod/steady", "--for=condition=Ready", "--timeout=60s")
    until(lambda: is_recorded(init_mode, node.name, "steady"))
    subprocess.run(node.command("sh", "-c", KILL), check=True, timeout=30)
    ask(kubectl, "steady", 5)
    until(lambda: is_recorded(init_mode, node.name, "steady"), 90)
    with tapped(init_mode, node.name) as tap:
        ask(kubectl, "steady", 3)
        until(lambda: len(tap.seen(kubectl.namespace)) == 3)


def test_uninstalled_it_leaves_pods_running_and_direct(init_mode, two_nodes, kubectl):
    """No object of ours, no call that fails for want of the proxy, and the same processes."""
    node = two_nodes.nodes[0].name
    kubectl("apply", "-f", "-", stdin=listed(placed(node, "left", kubectl.namespace, **MARK)))
    kubectl("wait", "pod/left", "--for=condition=Ready", "--timeout=60s")
    until(lambda: is_recorded(init_mode, node, "left"))
    init_mode.uninstall()
    ask(kubectl, "left", 3)
    status = json.loads(kubectl("get", "pod", "left", "-o", "json"))["status"]
    assert [one["restartCount"] for one in status["containerStatuses"]] == [0]
    assert init_mode.traces() == []
