"""A recorded pod that handles secrets in every usual way, and all that is written or shown of it, to be searched."""

import base64
import json

from e2e.needles import found_in
from tests.charts.installation import AGENT_PORT, PROXY_PORT, until
from tests.charts.workloads import MARK, listed, pod

PLANTED = "planted-51c0ffee"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
BUSY = "busy"
"""The pod's name, which may be kept: it is found where the secrets must not be."""
KINDS = {"readCoreV1NamespacedSecret", "connectCoreV1GetNamespacedPodExec", "listCoreV1NamespacedConfigMap"}
"""Operations that it uses."""
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_PROGRAM = f"""
kubectl create secret generic planted --from-literal=key={PLANTED} >/dev/null
while true; do timeout 5 kubectl get configmaps --watch >/dev/null; done &
while true; do kubectl get secret planted -o yaml; kubectl exec other -- echo {PLANTED}; sleep 0.5; done >/dev/null
"""
"""All again and again: where the machine is busy, connections go past the proxy for a while."""


def plant(cluster, where):
    """Have a marked pod handle a secret, watch, and run something in another."""

    def kubectl(*words, **how):
        return cluster.kubectl(*words[:1], "--namespace", where, *words[1:], **how)

    kubectl("create", "rolebinding", "all", "--clusterrole=admin", f"--serviceaccount={where}:default")
    kubectl("apply", "--filename=-", stdin=listed(pod("other", _spec("exec sleep infinity"))))
    kubectl("wait", "pod/other", "--for=condition=Ready", "--timeout=60s")
    kubectl("apply", "--filename=-", stdin=listed(pod(BUSY, _spec(_PROGRAM), **MARK)))
    kubectl("wait", f"pod/{BUSY}", "--for=condition=Ready", "--timeout=60s")


def _spec(program):
    command = ["sh", "-c", program]
    app = {"name": "app", "image": "local/kubectl:1", "imagePullPolicy": "Never", "command": command}
    return {"containers": [app], "terminationGracePeriodSeconds": 0}


def everything_said(installed, recorded):
    """Gather all that our containers have written and what there is of it in the cluster, by where it is.

    Ours are all in our namespace, whether they still run or not, and what the webhook has put into the recorded pod.
    """
    everywhere = ("--all-namespaces", "--output=json")
    agent = installed.agents()[recorded["spec"]["nodeName"]]
    ours = json.loads(installed.kubectl("get", "pods", "-o", "json"))["items"]
    prepared = {**recorded, "spec": {"containers": recorded["spec"].get("initContainers", [])}}
    return {
        **{name: text for one in (prepared, *ours) for name, text in _logs(installed.cluster, one).items()},
        "states of its init containers": json.dumps(recorded["status"].get("initContainerStatuses")).encode(),
        "Events": installed.cluster.kubectl("get", "events", *everywhere).encode(),
        "ConfigMaps": installed.cluster.kubectl("get", "configmaps", *everywhere).encode(),
        "status of the agent": installed.ask(agent, AGENT_PORT, "/status"),
        "status of the proxy": installed.ask(agent, PROXY_PORT, "/status"),
        "snapshot": installed.ask(agent, PROXY_PORT, "/snapshot"),
    }


def _logs(cluster, pod):
    """Read the logs of a pod's containers, its init containers among them."""
    name, space = pod["metadata"]["name"], ("--namespace", pod["metadata"]["namespace"])
    containers = [one["name"] for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])]
    return {
        f"log of {name}, {one}": cluster.kubectl("logs", name, "--container", one, *space).encode()
        for one in containers
    }


def assert_nothing_leaks(installed, where, prepared_by, folder):
    """Hold all that is said against the secrets, once their use is recorded; a name that may be kept is found there.

    `prepared_by` is the init container that the pod has been given.
    """
    busy = installed.cluster.get("pod", BUSY, "--namespace", where)
    token = installed.cluster.kubectl("exec", BUSY, "--namespace", where, "--", "cat", TOKEN)
    until(lambda: {key[3] for key in installed.calls_of(folder, where)} >= KINDS)
    said = everything_said(installed, busy)
    secrets = {"Secret": PLANTED, "token": token, "claims": token.split(".")[1]}
    found = {(place, name): found_in(text, secret) for place, text in said.items() for name, secret in secrets.items()}
    assert {where_and_what: forms for where_and_what, forms in found.items() if forms} == {}
    containers = {place.rpartition(", ")[2] for place in said if place.startswith("log of")}
    assert {"agent", "proxy", "webhook", "certs", prepared_by} <= containers
    heard = b"".join(text for place, text in said.items() if place.endswith(", webhook"))
    places = ("Events", "snapshot", "status of the agent", "status of the proxy")
    assert all(found_in(text, BUSY) for text in (heard, *(said[place] for place in places)))
