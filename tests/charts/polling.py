"""A pod that asks again and again and writes down what it was answered, and what the reports say of it."""

import sys
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cluster.binaries import build
from e2e.programs import CLIENTS
from tests.charts.workloads import MARK
from tests.inside.pods import CLIENTS as PROGRAM
from tests.inside.pods import pod_object, read_answers

POLLER = "poller"
RATE = 10
"""Requests a second."""


def start_polling(cluster, where, *, name=POLLER, connections="fresh", rate=RATE, marked=True):
    """Have a pod ask for as long as it lives."""
    made = pod_object(name, build(CLIENTS) / "clients")
    path = f"--path=/api/v1/namespaces/{where}/configmaps/kube-root-ca.crt"
    asking = [PROGRAM, "poll", f"--connections={connections}", f"--rate={rate}", "--for=1h", path]
    made["spec"]["containers"][0]["command"] = asking
    del made["spec"]["serviceAccountName"]
    cluster.apply({**made, "metadata": {**made["metadata"], **(MARK if marked else {})}}, where)
    cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s", "--namespace", where)


def answers(cluster, where, name=POLLER):
    """Give what a pod was answered so far, in the order in which it asked."""
    return read_answers(cluster.kubectl("logs", name, "--namespace", where))


def apisnoop(cluster, *words):
    """Run a verb as a person does."""
    return cluster.run(Path(sys.executable).parent / "apisnoop", *words)


class Stretch(NamedTuple):
    """A gap as a report has it. Moments are seconds since the epoch, infinite where it has not ended."""

    start: float
    end: float
    reason: str


def gaps_reported(report, where):
    """List the pod's gaps in a report (JSON)."""
    return [
        Stretch(_moment(gap["since"]), _moment(gap["until"]), gap["reason"])
        for gap in report["origin"]["recordings"]["gaps"]
        if (gap["namespace"], gap["name"]) == (where, POLLER)
    ]


def _moment(text):
    return datetime.fromisoformat(text).timestamp() if text else float("inf")
