"""The DaemonSet taken away under a program that asks all the while, and put back."""

import json
import time

import pytest

from e2e.audit_events import read_log
from tests.charts.installation import HOME, until
from tests.charts.polling import POLLER, answers, apisnoop, gaps_reported, start_polling
from tests.charts.serials import of_the_api_server, of_the_proxies

pytestmark = pytest.mark.cluster
DAEMON_SET = "apisnoop-agent"
AT_ONCE = 1.0
"""Seconds after which new connections reach the API server as without us."""
HANG = 5.0
ENOUGH = 10
"""Requests that are made meanwhile."""
PATIENCE = 90.0


def test_pods_go_on_without_a_deleted_daemon_set_and_the_report_tells_of_the_gap(
    installed, two_nodes, polling, a_namespace, tmp_path
):
    """No request fails or waits, whenever it is made; once the pods end it is direct; back again, they record it."""
    db, where, beside = tmp_path / "pulled.db", polling, a_namespace()
    start_polling(two_nodes, beside, marked=False)
    until(lambda: installed.calls_of(tmp_path, where))
    until(lambda: answers(two_nodes, beside)[ENOUGH:])
    until(lambda: acts(installed.rules(where, POLLER)))
    apisnoop(two_nodes, "pull", "--db", db)
    daemon_set = two_nodes.get("daemonset", DAEMON_SET, "--namespace", HOME)
    agent = installed.agents()[two_nodes.get("pod", POLLER, "-n", where)["spec"]["nodeName"]]

    began = time.time()
    installed.kubectl("delete", "daemonset", DAEMON_SET)
    acting = acts_at(installed, where)
    installed.kubectl("wait", "pods", "-l", "app.kubernetes.io/component=agent", "--for=delete", "--timeout=120s")
    gone = time.time()
    until(lambda: [one for one in answers(two_nodes, where) if one.at > gone][ENOUGH:])

    found = answers(two_nodes, where)
    longest = max(one.seconds for one in answers(two_nodes, beside))  # what this machine makes of it without us
    at_once = deletion(two_nodes, agent) + AT_ONCE + longest
    since = [one for one in found if one.at > began]
    assert [one for one in since if not one.direct or one.seconds > AT_ONCE + longest] == []
    assert of_the_proxies(installed) in {one.serial for one in found}
    assert {one.serial for one in since if one.opened > at_once} == {of_the_api_server(two_nodes)}
    assert not acting or max(acting) < at_once

    kept = {key: daemon_set["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    two_nodes.apply({**daemon_set, "metadata": kept, "status": {}}, HOME)
    installed.kubectl("rollout", "status", f"daemonset/{DAEMON_SET}", "--timeout=120s")
    until(lambda: installed.calls_of(tmp_path, where))

    assert max(one.seconds for one in answers(two_nodes, where)) < HANG
    apisnoop(two_nodes, "pull", "--db", db)
    report = json.loads(apisnoop(two_nodes, "coverage", "--db", db, "--output=json"))
    gaps = gaps_reported(report, where)
    assert [gap for gap in gaps if gap.start < gone < gap.end], gaps


def acts_at(installed, where):
    """Look at the pod's rules until they have gone; give when those looks began that found them leading somewhere."""
    acting = []

    def have_gone():
        at = time.time()
        rules = installed.rules(where, POLLER)
        acting.extend([at] if acts(rules) else [])
        return not rules

    until(have_gone, PATIENCE)
    return acting


def acts(rules):
    """Tell whether rules lead a connection anywhere: a set has elements as long as its leases are renewed."""
    return "elements" in rules


def deletion(cluster, pod):
    """Give the moment, in seconds since the epoch, when the API server was asked to delete a pod of ours."""
    path = f"/api/v1/namespaces/{HOME}/pods/{pod}"
    return min(one.received for one in read_log(cluster.audit_log) if (one.verb, one.path) == ("delete", path))
