"""What the demo takes for wrong when it compares what nodes recorded with the audit log."""

from __future__ import annotations

import json

import pytest

from e2e import demo_truth
from e2e.demo_pods import Round
from e2e.demo_truth import compare_rounds, faults_of
from e2e.robot import Robot

POD = "web-0"
ROBOT = Robot("shop", None, "")
ROUNDS = {POD: [Round(100.0, 150.0), Round(160.0, 200.0)]}
AGENT = "clients/v1 (linux/amd64) kubernetes/x/load"


def event(number, at):
    """Give the audit log's line of a call."""
    stamp = f"1970-01-01T00:{at // 60:02d}:{at % 60:02d}.000000Z"
    who = {"username": ROBOT.user, "extra": {"authentication.kubernetes.io/pod-name": [POD]}}
    return {
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "verb": "list",
        "requestReceivedTimestamp": stamp,
        "user": who,
        "userAgent": AGENT,
        "responseStatus": {"code": 200},
    }


def call(number, at, container="server"):
    """Give a node's line of the same call."""
    caller = {"node": "node1", "namespace": "shop", "pod": POD, "container": container}
    return {
        "time": event(number, at)["requestReceivedTimestamp"],
        "path": "/api/v1/namespaces/shop/pods",
        "verb": "list",
        "status": 200,
        "audit_id": f"id-{number}",
        "caller": {**caller, "service_account": "shop/robot"},
    }


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """Compare lines of both sides at once, without waiting for more."""
    monkeypatch.setattr(demo_truth, "PATIENCE", 0)

    def compare(events, calls):
        for name, lines in (("audit.log", events), ("pods.jsonl", calls)):
            (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return compare_rounds(tmp_path / "audit.log", tmp_path / "pods.jsonl", ROBOT, ROUNDS)

    return compare


def test_what_is_outside_of_the_rounds_is_none_of_the_comparison(compared):
    """Neither a call before, between or after, nor its event."""
    truth = compared([event(1, 99), event(2, 100), event(3, 155), event(4, 200)], [call(2, 100), call(3, 155)])
    assert (truth.agreement.events, truth.agreement.calls) == (1, 1)
    assert faults_of(truth) == []


def test_a_call_that_was_not_recorded_is_a_fault(compared):
    """However many were."""
    (fault,) = faults_of(compared([event(1, 110), event(2, 120)], [call(1, 110)]))
    assert "DOES NOT agree" in fault


def test_a_call_that_nobody_made_is_a_fault(compared):
    """It has no event."""
    (fault,) = faults_of(compared([event(1, 110)], [call(1, 110), call(2, 120)]))
    assert "DOES NOT agree" in fault


def test_another_container_than_the_user_agent_says_is_a_fault(compared):
    """The join by itself does not look at it."""
    (fault,) = faults_of(compared([event(1, 110)], [call(1, 110, "keeper")]))
    assert "ANOTHER pod, container or account" in fault


def test_nothing_recorded_is_a_fault_though_nothing_disagrees(compared):
    """An empty window would prove nothing."""
    (fault,) = faults_of(compared([], []))
    assert "NO call" in fault
