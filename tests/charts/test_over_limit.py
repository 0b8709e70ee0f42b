"""A pod that takes more than its share is let go, which its Events and `status` say."""

import json

import pytest

from tests.charts.installation import until
from tests.charts.polling import POLLER, answers, apisnoop, start_polling

pytestmark = pytest.mark.cluster
RATE = 100
"""New connections a second; the proxy takes half as many from a pod."""
ENOUGH = 3 * RATE
PATIENCE = 90.0
LIMIT = "it exceeded its limit of handshakes"


def test_a_pod_over_its_limit_goes_on_unrecorded_and_is_told_why(installed, two_nodes, a_namespace):
    """An Event on the pod names the limit, `status` says the same, and none of its requests fails."""
    where = a_namespace()
    start_polling(two_nodes, where, rate=RATE)
    (said,) = until(lambda: warnings(two_nodes, where, LIMIT), PATIENCE)
    assert said["reason"] == "ApisnoopNotIntercepting"
    assert said["involvedObject"]["uid"] == two_nodes.get("pod", POLLER, "-n", where)["metadata"]["uid"]
    assert said["source"] == {"component": "apisnoop-agent", "host": node_of(two_nodes, where)}
    (pod,) = json.loads(apisnoop(two_nodes, "status", "-n", where, "-o", "json"))["pods"]
    assert pod["state"] == "skipped"
    assert LIMIT in pod["why"]
    found = until(lambda: (seen := answers(two_nodes, where))[ENOUGH:] and seen)
    two_nodes.kubectl("delete", "pod", POLLER, "--now", "--namespace", where)
    assert [one for one in found if not one.direct] == []


def warnings(cluster, where, words):
    """List the pod's Events that warn with these words; a busy machine makes others."""
    chosen = f"involvedObject.name={POLLER},type=Warning"
    found = cluster.get("events", "--namespace", where, f"--field-selector={chosen}")["items"]
    return [one for one in found if words in one["message"]]


def node_of(cluster, where):
    """Name the pod's node."""
    return cluster.get("pod", POLLER, "--namespace", where)["spec"]["nodeName"]
