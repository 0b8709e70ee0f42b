"""What is left of the chart when it is gone: nothing, however far it had come."""

import contextlib
import secrets
import subprocess

import pytest

from tests.charts.installation import HOME, Installation, until
from tests.charts.workloads import listed, pod, reader, steadily

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def installation(two_nodes, apisnoop_archive, apisnoop_proxy_archive):
    """Give a release that is to be installed, in a cluster that has the images."""
    for archive in (apisnoop_archive, apisnoop_proxy_archive):
        two_nodes.load_image(archive)
    made = Installation(two_nodes)
    yield made
    with contextlib.suppress(subprocess.CalledProcessError):  # a test has failed before it had uninstalled it
        made.uninstall()


def test_a_pod_that_is_being_recorded_goes_on_when_everything_is_uninstalled(installation, two_nodes, tmp_path):
    """No object, no rule, no failed request, no restart; and the pod, started anew, does not wait for long."""
    where = f"charts-{secrets.token_hex(3)}"
    two_nodes.kubectl("create", "namespace", where)
    two_nodes.kubectl("wait", "serviceaccount/default", "--for=create", "--timeout=60s", "--namespace", where)
    two_nodes.apply(reader(where), where)
    installation.install("webhook.waitLimit=5")
    told = {"annotations": {"apisnoop": "true"}}
    two_nodes.kubectl("apply", "-f", "-", "-n", where, stdin=listed(pod("bare", steadily(where), **told)))
    until(lambda: installation.calls_of(tmp_path, where))
    assert "redirect" in installation.rules(where, "bare")

    installation.uninstall()

    assert installation.traces() == []
    assert installation.rules(where, "bare") == ""
    status = two_nodes.get("pod", "bare", "-n", where)["status"]
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert two_nodes.kubectl("logs", "bare", "-n", where, "-c", "app") == ""  # it says what fails
    two_nodes.kubectl("delete", "namespace", where, "--wait=false")


def test_half_an_installation_goes_as_a_whole_one_does(installation):
    """An image that does not exist: the pods never begin, a request may be under way."""
    with pytest.raises(subprocess.CalledProcessError):
        installation.install("image.proxy.tag=none", options=("--wait", "--timeout=4s"))
    assert any("DaemonSet" in one for one in installation.traces())
    installation.uninstall()
    assert installation.traces() == []
    assert installation.cluster.kubectl("get", "namespace", HOME, "-o", "name")
