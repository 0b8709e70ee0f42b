"""The DaemonSet taken away under a program that asks all the while, and put back."""

import json
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from cluster.binaries import build
from e2e.programs import CLIENTS
from tests.charts.installation import until
from tests.charts.workloads import MARK
from tests.inside.pods import CLIENTS as PROGRAM
from tests.inside.pods import pod_object, read_answers

pytestmark = pytest.mark.cluster
DAEMON_SET = "apisnoop-agent"
AT_ONCE = 1.0
"""Seconds after which new connections reach the API server as without us."""
HANG = 5.0
ENOUGH = 10
"""Requests that are made meanwhile."""


@pytest.fixture
def polling(two_nodes, a_namespace):
    """Have a marked pod ask ten times a second, each time on a new connection, for as long as it lives."""
    where = a_namespace()
    made = pod_object("poller", build(CLIENTS) / "clients")
    path = f"--path=/api/v1/namespaces/{where}/configmaps/kube-root-ca.crt"
    made["spec"]["containers"][0]["command"] = [PROGRAM, "poll", "--connections=fresh", "--rate=10", "--for=1h", path]
    del made["spec"]["serviceAccountName"]
    two_nodes.apply({**made, "metadata": {**made["metadata"], **MARK}}, where)
    two_nodes.kubectl("wait", "pod/poller", "--for=condition=Ready", "--timeout=60s", "--namespace", where)
    return where


def test_pods_go_on_without_a_deleted_daemon_set_and_the_report_tells_of_the_gap(
    installed, two_nodes, polling, tmp_path
):
    """No request fails without it, and none ever hangs; when it is back, recording resumes by itself."""

    def answers():
        return read_answers(two_nodes.kubectl("logs", "poller", "--namespace", where))

    db, where = tmp_path / "pulled.db", polling
    until(lambda: installed.calls_of(tmp_path, where))
    apisnoop(two_nodes, "pull", "--db", db)
    daemon_set = two_nodes.get("daemonset", DAEMON_SET, "--namespace", "apisnoop")

    installed.kubectl("delete", "daemonset", DAEMON_SET)
    until(lambda: installed.rules(where, "poller") == "")
    gone = time.time()
    installed.kubectl("wait", "pods", "-l", "app.kubernetes.io/component=agent", "--for=delete", "--timeout=120s")
    without = until(lambda: (found := [one for one in answers() if one.at > gone + AT_ONCE])[ENOUGH:] and found)
    assert [one for one in without if one.error] == []

    kept = {key: daemon_set["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    two_nodes.apply({**daemon_set, "metadata": kept, "status": {}}, "apisnoop")
    installed.kubectl("rollout", "status", f"daemonset/{DAEMON_SET}", "--timeout=120s")
    until(lambda: installed.calls_of(tmp_path, where))

    assert max(one.seconds for one in answers()) < HANG
    apisnoop(two_nodes, "pull", "--db", db)
    report = json.loads(apisnoop(two_nodes, "coverage", "--db", db, "--output=json"))
    gaps = [
        one for one in report["origin"]["recordings"]["gaps"] if (one["namespace"], one["name"]) == (where, "poller")
    ]
    assert [gap for gap in gaps if moment(gap["since"]) < gone < moment(gap["until"])], gaps


def moment(text):
    """Read a time of the report."""
    return datetime.fromisoformat(text).timestamp()


def apisnoop(cluster, *words):
    """Run a verb as a person does."""
    return cluster.run(Path(sys.executable).parent / "apisnoop", *words)
