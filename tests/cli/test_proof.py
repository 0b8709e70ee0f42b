"""What `helm test` says; that it succeeds is seen where the chart is installed (tests/charts)."""

import os
import subprocess
import sys

from apisnoop.cli.proof import calls_of, why_not
from apisnoop.fleet.facts import Answer
from apisnoop.node.status import AgentPod, AgentStatus, ProxyPod, ProxyStatus

OTHER = ProxyPod("shop", "web", "u2", calls=7)


def test_only_the_pods_own_calls_prove_something():
    """Others on the same node are recorded, too."""
    answer = Answer(proxy=ProxyStatus(pods=(OTHER, ProxyPod("apisnoop", "apisnoop-test", "u1", calls=2))))
    assert calls_of(answer, "u1") == 2
    assert calls_of(Answer(proxy=ProxyStatus(pods=(OTHER,))), "u1") == 0
    assert calls_of(Answer(trouble="no agent's pod is there"), "u1") == 0


def test_the_reason_is_the_nodes_own():
    """Whether it does not answer, does not know the pod, or has left it alone."""
    assert "node1 does not answer (no agent's pod is there)" in why_not(
        Answer(trouble="no agent's pod is there"), "u1", "node1"
    )
    assert why_not(Answer(agent=AgentStatus()), "u1", "node1") == "the agent of node1 does not know of it"
    skipped = AgentPod("apisnoop", "apisnoop-test", "u1", state="skipped", why="its ca.crt does not accept ours")
    told = why_not(Answer(agent=AgentStatus(pods=(skipped,))), "u1", "node1")
    assert told == "node1 says: skipped: its ca.crt does not accept ours"


def test_without_a_cluster_it_is_one_line(tmp_path):
    """A failed test's log says what is wrong."""
    given = {"POD_NAMESPACE": "n", "POD_UID": "u", "NODE_NAME": "node1", "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "apisnoop.cli.proof"],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("apisnoop-test: ")
    assert done.stderr.count("\n") == 1
