"""What is left of the chart when it is gone: nothing, however far it had come."""

import subprocess

import pytest

from tests.charts.installation import HOME, until
from tests.charts.workloads import MARK, listed, pod, steadily

pytestmark = pytest.mark.cluster


def test_a_pod_that_is_being_recorded_goes_on_when_everything_is_uninstalled(
    installed, two_nodes, a_namespace, tmp_path
):
    """No object, no rule, no failed request, no restart."""
    where = a_namespace()
    two_nodes.kubectl("apply", "-f", "-", "-n", where, stdin=listed(pod("bare", steadily(where), **MARK)))
    until(lambda: installed.calls_of(tmp_path, where))
    assert "redirect" in installed.rules(where, "bare")

    installed.uninstall()

    assert installed.traces() == []
    assert installed.rules(where, "bare") == ""
    status = two_nodes.get("pod", "bare", "-n", where)["status"]
    assert status["containerStatuses"][0]["restartCount"] == 0
    assert two_nodes.kubectl("logs", "bare", "-n", where, "-c", "app") == ""  # it says what fails


def test_half_an_installation_goes_as_a_whole_one_does(absent):
    """An image that does not exist: the pods never begin, a request may be under way."""
    with pytest.raises(subprocess.CalledProcessError):
        absent.install("image.proxy.tag=none", options=("--wait", "--timeout=4s"))
    assert any("DaemonSet" in one for one in absent.traces())
    absent.uninstall()
    assert absent.traces() == []
    assert absent.cluster.kubectl("get", "namespace", HOME, "-o", "name")
