"""The webhook against a real API server, as a process beside it."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from tornado.testing import bind_unused_port

from apisnoop.node.wanted import WAIT_CONTAINER
from apisnoop_webhook.configuration import OWN_AUTHORITY
from cluster.apiserver import ApiServer

pytestmark = pytest.mark.cluster

HOME = "apisnoop"
LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "apisnoop-webhook"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "apisnoop-webhook-tls"}}
AGENTS = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "apisnoop-agent"},
    "spec": {
        "selector": {"matchLabels": {"app": "agent"}},
        "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
    },
}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
STRICT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
HAS_OWNER = {"name": "the-pod-has-an-owner", "expression": "has(object.metadata.ownerReferences)"}


def configuration(port):
    """Make the configuration as the chart does, but for a URL in place of a Service."""

    def entry(asked, **selectors):
        return {
            "name": f"{asked}.inject.apisnoop",
            "clientConfig": {"url": f"https://127.0.0.1:{port}/{asked}"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "NoneOnDryRun",
            "failurePolicy": "Fail",  # so that a webhook that does not answer is seen
            "reinvocationPolicy": "IfNeeded",
            "timeoutSeconds": 3,
            **selectors,
        }

    own_word = "has(object.metadata.annotations) && 'apisnoop' in object.metadata.annotations"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "apisnoop"},
        "webhooks": [
            entry("pods", matchConditions=[{"name": "asks", "expression": own_word}]),
            entry("namespaces", namespaceSelector={"matchLabels": {"apisnoop": "true"}}),
            entry("owners", matchConditions=[HAS_OWNER, {"name": OWN_AUTHORITY, "expression": "false"}]),
        ],
    }


@pytest.fixture(scope="module")
def server():
    """Start an API server without controllers, which would undo the agents' status, with the webhook beside it."""
    with ApiServer.start() as started:
        started.kubectl("create", "namespace", HOME)
        started.apply({"apiVersion": "v1", "kind": "List", "items": [LEASE, SECRET, AGENTS]}, HOME)
        status = {"currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberReady": 1, "numberMisscheduled": 0}
        change = json.dumps({"status": status})
        started.kubectl(
            "patch",
            "daemonset",
            "apisnoop-agent",
            "-n",
            HOME,
            "--subresource=status",
            "--type=merge",
            f"--patch={change}",
        )
        decide(started, {"mode": "csr"})
        root = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}}
        started.apply({**root, "data": {"ca.crt": CERTIFICATE.format("AAAA")}}, HOME)
        socket, port = bind_unused_port()
        socket.close()
        with running(started, port):
            started.apply(configuration(port))
            started.kubectl(
                "wait",
                "mutatingwebhookconfiguration/apisnoop",
                "--timeout=20s",
                "--for=jsonpath={.webhooks[1].clientConfig.caBundle}",
            )
            yield started


@contextmanager
def running(server, port):
    """Run the webhook as its own process."""
    command = [sys.executable, "-m", "apisnoop_webhook", "--namespace", HOME, "--identity", "one", "--image", "a:1"]
    options = ["--listen", f"127.0.0.1:{port}", "--server-name", "127.0.0.1", "--kubeconfig", str(server.kubeconfig)]
    with subprocess.Popen(
        [*command, *options], env={**os.environ, **server.environment}, stderr=subprocess.PIPE
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            _, told = process.communicate(timeout=20)
    assert process.returncode == 0, told.decode()
    assert b"Traceback" not in told


def decide(server, data):
    """Write the verdict on certificates."""
    server.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "apisnoop-certificate"}, "data": data}, HOME
    )


def namespace(server, name, **labels):
    """Make a namespace in which pods can be created."""
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, name)
    return name


def pod(**metadata):
    """Make a pod that every namespace accepts."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": [{"name": "app", "image": "app:1", "securityContext": STRICT}]},
    }


def created(server, where, thing, *options):
    """Create a pod and give it back as the API server has it."""
    arguments = ["create", "-f", "-", "-n", where, "-o", "json", *options]
    return json.loads(server.kubectl(*arguments, stdin=json.dumps(thing)))


def inits(thing):
    """Name the pod's init containers."""
    return [one["name"] for one in thing["spec"].get("initContainers", [])]


ASKED = {"annotations": {"apisnoop": "true"}}


@pytest.mark.parametrize("level", ["privileged", "baseline", "restricted"])
def test_a_pod_is_prepared_in_namespaces_of_every_security_level(server, level):
    """The API server takes the patch, and PodSecurity takes the pod."""
    where = namespace(server, f"level-{level}", **{"pod-security.kubernetes.io/enforce": level})
    after = created(server, where, pod(**ASKED))
    assert inits(after) == [WAIT_CONTAINER]
    assert "apisnoop/injected" in after["metadata"]["annotations"]


def test_a_label_on_the_namespace_counts_and_a_pods_no_is_nearer(server):
    """Without a word of its own the pod is prepared, with a no it is not."""
    where = namespace(server, "labelled", apisnoop="true")
    assert inits(created(server, where, pod())) == [WAIT_CONTAINER]
    assert inits(created(server, where, pod(name="other", annotations={"apisnoop": "false"}))) == []


def test_nobody_else_is_touched(server):
    """A pod that says nothing in a namespace that says nothing stays as it is."""
    assert inits(created(server, namespace(server, "silent"), pod())) == []


def test_an_overwritten_authority_is_mended(server):
    """Somebody else's tool empties caBundle; the leader fills it again."""
    empty = json.dumps([{"op": "remove", "path": f"/webhooks/{at}/clientConfig/caBundle"} for at in (0, 1, 2)])
    server.kubectl("patch", "mutatingwebhookconfiguration", "apisnoop", "--type=json", f"--patch={empty}")
    path = "{.webhooks[0].clientConfig.caBundle}"
    server.kubectl("wait", "mutatingwebhookconfiguration/apisnoop", "--timeout=20s", f"--for=jsonpath={path}")


BUNDLE = "apisnoop-root-ca.crt"
DRY = "--dry-run=server"


def projected(thing):
    """Name the ConfigMaps that the pod's volumes project."""
    sources = [source for volume in thing["spec"]["volumes"] for source in volume["projected"]["sources"]]
    return [source.get("configMap", {}).get("name") for source in sources]


def marked_owner(server, where):
    """Make an annotated Deployment with its ReplicaSet, and give what its pods refer to."""
    labels = {"app": "web"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod()["spec"]}}
    owner = []
    for kind, annotations in (("Deployment", {"apisnoop": "true"}), ("ReplicaSet", {})):
        metadata = {"name": "web", "namespace": where, "annotations": annotations, "ownerReferences": owner}
        thing = created(server, where, {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
        reference = {"name": "web", "uid": thing["metadata"]["uid"], "controller": True}
        owner = [{"apiVersion": "apps/v1", "kind": kind, **reference}]
    return owner


@contextmanager
def own_authority(server, where):
    """Have the certificate signed by our own authority for a block, which the webhook has noticed."""
    decide(server, {"mode": "own-ca", "ca.crt": CERTIFICATE.format("BBBB")})
    asked = pod(name="asked", annotations={"apisnoop": "true"})
    wait_until(lambda: BUNDLE in projected(created(server, where, asked, DRY)))
    yield
    decide(server, {"mode": "csr", "ca.crt": ""})
    wait_until(lambda: BUNDLE not in projected(created(server, where, asked, DRY)))


def wait_until(holds):
    """Wait for what the webhook or the API server notices; asking takes long enough."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline


def test_with_our_own_authority_pods_of_a_marked_owner_are_prepared(server):
    """The API server asks about them from then on, for nothing but a new pod can take our bundle; and not otherwise."""
    where = namespace(server, "marked")
    owners = marked_owner(server, where)

    def made(name):
        return created(server, where, pod(name=name, ownerReferences=owners))

    assert inits(made("web-1")) == []
    with own_authority(server, where):
        condition = f"{{.webhooks[2].matchConditions[?(@.name=='{OWN_AUTHORITY}')].expression}}"
        server.kubectl(
            "wait", "mutatingwebhookconfiguration/apisnoop", "--timeout=60s", f"--for=jsonpath={condition}=true"
        )
        wait_until(lambda: BUNDLE in projected(created(server, where, pod(name="x", ownerReferences=owners), DRY)))
        assert inits(made("web-2")) == [WAIT_CONTAINER]
        assert server.get("configmap", BUNDLE, "-n", where)


def test_own_authority_gives_the_namespace_a_bundle_before_the_pod_asks_for_it(server):
    """In mode own-ca the pod's volume names our ConfigMap, and it is there; a dry run writes none, nor does a label."""
    where = namespace(server, "own", apisnoop="true")
    with own_authority(server, where):
        created(server, where, pod(name="no", annotations={"apisnoop": "false"}))
        assert server.get("configmap", "-n", where)["items"] == []
        assert BUNDLE in projected(created(server, where, pod()))
        bundle = server.get("configmap", BUNDLE, "-n", where)["data"]["ca.crt"]
        assert bundle == CERTIFICATE.format("AAAA") + CERTIFICATE.format("BBBB")
