"""A cluster does what tests and the demo rely on."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster.images import Image, Layer, write_archive
from cluster.packages import BUSYBOX

if TYPE_CHECKING:
    from cluster import Cluster
    from cluster_tests.conftest import RunPod

pytestmark = pytest.mark.cluster

WEB = ("sh", "-c", "mkdir /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www")


def events(cluster: Cluster, **wanted: Any) -> list[dict[str, Any]]:
    """Read the audit events whose top-level fields are as wanted."""
    parsed = (json.loads(line) for line in cluster.audit_log.read_text().splitlines())
    return [event for event in parsed if wanted.items() <= event.items()]


def test_a_pod_runs_logs_and_answers_exec(cluster: Cluster, namespace: str, run_pod: RunPod) -> None:
    """Pods start from the images every node has; logs and exec go through the kubelet."""
    run_pod(cluster, "talker", "sh", "-c", "echo hello; exec sleep 1000")
    assert cluster.kubectl("logs", "talker", f"--namespace={namespace}") == "hello\n"
    assert cluster.kubectl("exec", "talker", f"--namespace={namespace}", "--", "echo", "inside") == "inside\n"


def test_a_service_has_a_name_and_answers_inside_and_on_every_node(
    cluster: Cluster, namespace: str, run_pod: RunPod
) -> None:
    """DNS, ClusterIP and NodePort work as on any cluster."""
    run_pod(cluster, "web", *WEB)
    run_pod(cluster, "client", "sleep", "1000")
    where = f"--namespace={namespace}"
    cluster.kubectl("expose", "pod", "web", "--port=80", "--type=NodePort", where)
    look = "until wget -q -O- http://web; do sleep 0.1; done"
    assert cluster.kubectl("exec", "client", where, "--", "sh", "-c", look, timeout=30) == "hello\n"
    (port,) = cluster.get("service", "web", where)["spec"]["ports"]
    for node in cluster.nodes:
        with urllib.request.urlopen(f"http://{node.address}:{port['nodePort']}/", timeout=10) as response:
            assert response.read() == b"hello\n"


def test_the_api_server_sees_a_pods_own_address_and_who_it_is(
    cluster: Cluster, namespace: str, run_pod: RunPod
) -> None:
    """Nobody translates addresses on the way, and the token is bound to the pod."""
    run_pod(cluster, "caller", "sleep", "1000", image="local/kubectl:1")
    caller = cluster.get("pod", "caller", f"--namespace={namespace}")
    asked = f"/api/v1/namespaces/{namespace}/no-such-thing"
    command = ["exec", "caller", f"--namespace={namespace}", "--", "sh", "-c", f"kubectl get --raw {asked} || true"]
    cluster.kubectl(*command)
    (event,) = events(cluster, requestURI=asked)
    assert event["sourceIPs"] == [caller["status"]["podIP"]]
    assert event["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert event["user"]["extra"]["authentication.kubernetes.io/pod-name"] == ["caller"]


def test_what_a_pod_does_to_its_node_does_not_reach_the_machine(cluster: Cluster, namespace: str) -> None:
    """A node's root is copied on write, so a hostPath mount of it is harmless."""
    place = f"/etc/{namespace}"
    container = {
        "name": "writer",
        "image": "local/busybox:1",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", f"echo mine > /host{place}"],
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    volumes = [{"name": "host", "hostPath": {"path": "/"}}]
    spec = {"containers": [container], "volumes": volumes, "restartPolicy": "Never"}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "writer"}, "spec": spec}, namespace)
    done = "--for=jsonpath={.status.phase}=Succeeded"
    cluster.kubectl("wait", "pod/writer", done, "--timeout=60s", f"--namespace={namespace}")
    (node,) = cluster.nodes
    assert cluster.run(*node.command("cat", place)) == "mine\n"
    assert not Path(place).exists()


def test_an_image_of_ones_own_can_be_loaded(cluster: Cluster, namespace: str, run_pod: RunPod, tmp_path: Path) -> None:
    """There is no registry: an archive is imported on every node."""
    name = f"local/{namespace}:1"
    layer = Layer(programs={"bin/sh": BUSYBOX}, texts={"greeting": "from the archive\n"})
    write_archive(tmp_path / "image.tar", [Image(name, (layer,), ("/bin/sh",))])
    cluster.load_image(tmp_path / "image.tar")
    # The image has no other program than the shell, which is a busybox and so knows `sleep` itself.
    run_pod(cluster, "own", "/bin/sh", "-c", "read -r line < /greeting; echo $line; sleep 1000", image=name)
    assert cluster.kubectl("logs", "own", f"--namespace={namespace}") == "from the archive\n"


def test_an_image_gets_the_name_it_is_loaded_under(
    cluster: Cluster, namespace: str, run_pod: RunPod, tmp_path: Path
) -> None:
    """A chart names images as a registry would have them, an archive as it was built."""
    layer = Layer(programs={"bin/sh": BUSYBOX})
    write_archive(tmp_path / "image.tar", [Image("local/as-built:1", (layer,), ("/bin/sh",))])
    name = f"registry.example/{namespace}:2"
    cluster.load_image(tmp_path / "image.tar", name)
    run_pod(cluster, "renamed", "/bin/sh", "-c", "exec sleep 1000", image=name)


def test_a_file_that_is_no_image_is_refused_with_its_name(cluster: Cluster, tmp_path: Path) -> None:
    """The message says which archive on which node, and what containerd thinks of it."""
    (tmp_path / "nonsense.tar").write_text("nonsense")
    with pytest.raises(RuntimeError, match=r"cannot import .*nonsense\.tar on node1: ."):
        cluster.load_image(tmp_path / "nonsense.tar")


def test_helm_installs_a_chart_with_a_hook(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """A release's hook Job runs before its objects are made."""
    write_chart(tmp_path)
    cluster.helm("install", "release", tmp_path, f"--namespace={namespace}", "--wait", "--timeout=60s")
    (release,) = json.loads(cluster.helm("list", f"--namespace={namespace}", "--output=json"))
    assert release["status"] == "deployed"
    objects = cluster.get("job,configmap", "--selector=chart=test", f"--namespace={namespace}")["items"]
    created = {item["kind"]: item["metadata"]["creationTimestamp"] for item in objects}
    (hook,) = [item for item in objects if item["kind"] == "Job"]
    assert hook["status"]["completionTime"] <= created["ConfigMap"]


def write_chart(directory: Path) -> None:
    """Write a chart with a ConfigMap and a Job that runs before it is installed."""
    (directory / "templates").mkdir()
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: test\nversion: 0.1.0\n")
    container = {"name": "hook", "image": "local/busybox:1", "imagePullPolicy": "Never", "command": ["true"]}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "hook", "labels": {"chart": "test"}, "annotations": {"helm.sh/hook": "pre-install"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }
    configuration = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"chart": "test"}},
    }
    for name, thing in (("job", job), ("settings", configuration)):
        (directory / "templates" / f"{name}.yaml").write_text(json.dumps(thing))
