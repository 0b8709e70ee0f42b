"""The DaemonSet taken away under a program that asks all the while, and put back."""

import json
import time

import pytest

from tests.charts.installation import until
from tests.charts.polling import answers, apisnoop, gaps_reported

pytestmark = pytest.mark.cluster
DAEMON_SET = "apisnoop-agent"
AT_ONCE = 1.0
"""Seconds after which new connections reach the API server as without us."""
HANG = 5.0
ENOUGH = 10
"""Requests that are made meanwhile."""


def test_pods_go_on_without_a_deleted_daemon_set_and_the_report_tells_of_the_gap(
    installed, two_nodes, polling, tmp_path
):
    """No request fails without it, and none ever hangs; when it is back, recording resumes by itself."""

    db, where = tmp_path / "pulled.db", polling
    until(lambda: installed.calls_of(tmp_path, where))
    apisnoop(two_nodes, "pull", "--db", db)
    daemon_set = two_nodes.get("daemonset", DAEMON_SET, "--namespace", "apisnoop")

    installed.kubectl("delete", "daemonset", DAEMON_SET)
    until(lambda: installed.rules(where, "poller") == "")
    gone = time.time()
    installed.kubectl("wait", "pods", "-l", "app.kubernetes.io/component=agent", "--for=delete", "--timeout=120s")
    without = until(
        lambda: (found := [one for one in answers(two_nodes, where) if one.at > gone + AT_ONCE])[ENOUGH:] and found
    )
    assert [one for one in without if one.error] == []

    kept = {key: daemon_set["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    two_nodes.apply({**daemon_set, "metadata": kept, "status": {}}, "apisnoop")
    installed.kubectl("rollout", "status", f"daemonset/{DAEMON_SET}", "--timeout=120s")
    until(lambda: installed.calls_of(tmp_path, where))

    assert max(one.seconds for one in answers(two_nodes, where)) < HANG
    apisnoop(two_nodes, "pull", "--db", db)
    report = json.loads(apisnoop(two_nodes, "coverage", "--db", db, "--output=json"))
    gaps = gaps_reported(report, where)
    assert [gap for gap in gaps if gap.start < gone < gap.end], gaps
