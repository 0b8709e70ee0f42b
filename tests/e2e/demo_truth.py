"""What the cluster's nodes recorded of the demo's pods, held against the API server's audit log, call by call.

Compared are whole rounds of each pod (see `demo_pods`), so that it is certain on both sides which calls belong to it:
those on connections that were opened one second or more after the pod was annotated. Rounds in which the node itself
reports a gap, which it has on a machine that is too busy, are left out by whoever calls this.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from e2e.audit_events import read_log
from e2e.audit_join import join
from e2e.demo_pods import AGENTS
from tests.inside.seen import Truth, seen_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from e2e.demo_pods import Round
    from e2e.robot import Robot

PATIENCE = 60.0
PAUSE = 0.5


def compare_rounds(audit_log: Path, calls: Path, robot: Robot, rounds: Mapping[str, Sequence[Round]]) -> Truth:
    """Join the calls of a `watch -o json` with the audit log, within the rounds of each pod.

    The last calls may still be on their way here, so a disagreement is looked at again for a while.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        truth = _compare(audit_log, calls, robot, rounds)
        if truth.agreement.holds or time.monotonic() > deadline:
            return truth
        time.sleep(PAUSE)


def attribution(truth: Truth) -> str:
    """Say who made the joined calls, as it was recorded."""
    callers = sorted({(one.who.pod, one.who.container, one.who.service_account, one.who.node) for one in truth.seen})
    return "\n".join(f"{pod}, container {box}, {account}, on {node}" for pod, box, account, node in callers)


def faults_of(truth: Truth) -> list[str]:
    """Say what is wrong with it; nothing, if everything agrees."""
    wrong = truth.wrongly_attributed(AGENTS)
    faults = []
    if not truth.seen:
        faults.append("the nodes recorded NO call of the annotated pods")
    if not truth.agreement.holds:
        faults.append("what the nodes recorded DOES NOT agree with the audit log")
    if wrong:
        faults.append(f"{len(wrong)} calls were recorded with ANOTHER pod, container or account than they had")
    return faults


def _compare(audit_log: Path, calls: Path, robot: Robot, rounds: Mapping[str, Sequence[Round]]) -> Truth:
    def counts(pod: str, at: float) -> bool:
        return any(one.holds(at) for one in rounds.get(pod, ()))

    # Events of others stay: they tell whose a call is that was recorded as a pod's and is not.
    events = [event for event in read_log(audit_log) if event.user != robot.user or counts(event.pod, event.received)]
    lines = calls.read_bytes().rpartition(b"\n")[0].splitlines()
    seen = [one for one in seen_in(lines, robot.namespace) if counts(one.who.pod, one.call.started)]
    agreement = join(events, [one.call for one in seen], robot.user)
    return Truth(agreement, {event.audit_id: event for event in events if event.user == robot.user}, seen)
