"""`python -m apisnoop.cli.proof`: what `helm test` runs in a pod that is annotated, to see that it is recorded.

It makes calls like any program would, each on a connection of its own, and asks the node for what it knows of this very
pod. Needs, in its own namespace: list pods, and port-forward to them.
"""

import os
import sys
import time
from collections.abc import Mapping

from apisnoop.cli.agents import answer_of, find_agents
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop.fleet.facts import Answer

PROGRAM = "apisnoop-test"
PATIENCE = 90.0
"""Seconds within which a call has to be recorded: a node that has just begun is ready by then."""
PAUSE = 1.0
_PATH = "/api/v1/namespaces/{}/pods"


def prove(environment: Mapping[str, str], *, patience: float = PATIENCE) -> str:
    """Make calls until one of them is recorded, and say so. Raises ApisnoopError with what the node says if none is."""
    namespace, uid, node = (environment[name] for name in ("POD_NAMESPACE", "POD_UID", "NODE_NAME"))
    deadline = time.monotonic() + patience
    while True:
        api = Api(program=PROGRAM, patience=10.0)  # each has connections of its own
        api.get(_PATH.format(namespace), limit="1")
        answer = _ask_node(api, namespace, node)
        if calls := calls_of(answer, uid):
            return f"{calls} calls of this pod were recorded on {node}, from certificate to store"
        if time.monotonic() > deadline:
            raise ApisnoopError(f"no call of this pod was recorded in {patience:.0f} s: {why_not(answer, uid, node)}")
        time.sleep(PAUSE)


def calls_of(answer: Answer, uid: str) -> int:
    """Count a pod's recorded calls in a node's answer."""
    return sum(pod.calls for pod in answer.proxy.pods if pod.uid == uid) if answer.proxy else 0


def why_not(answer: Answer, uid: str, node: str) -> str:
    """Say in some words what a node knows of a pod of which it has recorded nothing."""
    if answer.trouble:
        return f"{node} does not answer ({answer.trouble})"
    pods = answer.agent.pods if answer.agent else ()
    known = next((pod for pod in pods if pod.uid == uid), None)
    return f"{node} says: {known.state}: {known.why}" if known else f"the agent of {node} does not know of it"


def _ask_node(api: Api, namespace: str, node: str) -> Answer:
    agents = [pod for pod in find_agents(api, namespace) if pod.spec.node_name == node]
    return answer_of(api, agents[0]) if agents else Answer(trouble="no agent's pod is there")


def main() -> None:
    """Run it; the outcome is one line, and the exit code."""
    try:
        print(prove(os.environ), flush=True)
    except ApisnoopError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        sys.exit(error.exit_code)
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
