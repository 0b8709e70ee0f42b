"""What agent and proxy tell of themselves."""

from apisnoop.node import status
from apisnoop_tproxy.pod_state import Condition


def test_the_states_that_are_read_are_those_that_agents_tell():
    """Of a pod that is off, nothing is told."""
    known = {status.INTERCEPTING, status.WAITING, status.SKIPPED, status.SHED, status.DRAINING}
    assert known == set(Condition) - {Condition.OFF}
