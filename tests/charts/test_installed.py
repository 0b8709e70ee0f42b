"""The chart in a real cluster of two nodes: what it is for, done by what it installs."""

import json
import subprocess
from datetime import timedelta

import pytest

from apisnoop.cluster_api import Api
from apisnoop_certs.objects import ObjectNames, Objects
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.settings import SIGNERS
from apisnoop_certs.signing_request import make_signing_request, request_object
from tests.charts.installation import HOME, PROVEN, until
from tests.charts.workloads import deployment, listed, pod, steadily

pytestmark = pytest.mark.cluster


def test_a_running_pod_and_a_deployment_are_recorded_when_they_are_annotated(
    installed, two_nodes, a_namespace, tmp_path
):
    """Nothing is restarted, and pod, container and service account are known."""
    where = a_namespace()

    def kubectl(*words, **keywords):
        return two_nodes.kubectl(*words, "--namespace", where, **keywords)

    things = listed(pod("bare", steadily(where)), deployment("web", steadily(where)))
    kubectl("apply", "--filename=-", stdin=things)
    kubectl("wait", "pod/bare", "--for=condition=Ready", "--timeout=60s")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    kubectl("annotate", "pod/bare", "deployment/web", "apisnoop=true")
    for name in ("bare", "web-"):
        found = until(lambda name=name: installed.calls_of(tmp_path, where, name))
        assert {key[1:] for key in found} == {("app", f"{where}/default", "readCoreV1NamespacedConfigMap")}
    pods = json.loads(kubectl("get", "pods", "-o", "json"))["items"]
    assert len(pods) == 2
    assert all(status["restartCount"] == 0 for one in pods for status in one["status"]["containerStatuses"])
    assert "redirect" in installed.rules(where, "bare")
    kubectl("annotate", "pod/bare", "deployment/web", "apisnoop-")
    for one in pods:
        until(lambda name=one["metadata"]["name"]: installed.rules(where, name) == "")


def test_the_certificates_job_may_ask_for_the_api_servers_names_only(installed, two_nodes):
    """Helm has found them in the cluster; not even a name more passes, and without the policy it would."""
    ours = Objects(Api(two_nodes.kubeconfig, program="test"), ObjectNames("", "", "", "")).server_names(
        "cluster.local", ()
    )
    assert len(ours.addresses) == 2  # the service's and the endpoint's
    for names, denied in ((ours, False), (ServerNames((*ours.names, "node1"), ours.addresses), True)):
        wanted = request_object("apisnoop", make_signing_request(names), SIGNERS[0], timedelta(days=7))
        told = refusal_of(two_nodes, "create", "--as", f"system:serviceaccount:{HOME}:apisnoop-certs", stdin=wanted)
        assert ("alternative names and key are not what this policy was made for" in told) is denied
        assert bool(told) is denied


def test_the_proxy_reads_the_clusters_own_description_with_a_token_that_may_nothing_else(installed, two_nodes):
    """Custom resources are known to it; what the agent may look at, it may not."""
    for agent in installed.agents().values():
        until(lambda agent=agent: "read from the cluster at" in installed.kubectl("logs", agent, "-c", "proxy"))
    account = f"--as=system:serviceaccount:{HOME}:apisnoop-proxy"
    with pytest.raises(subprocess.CalledProcessError):
        two_nodes.kubectl("auth", "can-i", "list", "pods", account)


def refusal_of(cluster, *words, stdin):
    """Try something without effect; give what one is told, "" if it may be done."""
    try:
        cluster.kubectl(*words, "--dry-run=server", "-f", "-", stdin=json.dumps(stdin))
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


def test_helms_own_test_sees_a_pod_being_recorded(installed):
    """`helm test` succeeds, says so, and leaves no rights behind."""
    assert PROVEN in installed.proof()
    left = json.loads(installed.kubectl("get", "serviceaccounts,roles,rolebindings", "-o", "json"))["items"]
    assert "apisnoop-test" not in {one["metadata"]["name"] for one in left}
    installed.kubectl("delete", "pod", "apisnoop-test")
