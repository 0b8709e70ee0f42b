"""A client that keeps its connection: not seen when its pod is switched on, and seen at once when it is asked for."""

import json
import time

import pytest

from tests.charts.installation import until
from tests.charts.polling import POLLER, RATE, answers, apisnoop, start_polling
from tests.inside.clock import is_overload

pytestmark = pytest.mark.cluster
PATIENCE = 120.0
ENOUGH = 2 * RATE


def test_a_kept_connection_is_broken_once_on_request_and_its_client_recorded(
    installed, two_nodes, a_namespace, tmp_path
):
    """Switched on, its pod has one older connection and no calls; with --reset that is broken, and calls come."""
    where = a_namespace()
    start_polling(two_nodes, where, connections="http2", rate=RATE, marked=False)
    until(lambda: answers(two_nodes, where)[ENOUGH:])

    apisnoop(two_nodes, "on", f"pod/{POLLER}", "-n", where)
    until(lambda: older_connections(two_nodes, where) == 1, PATIENCE)
    asked = len(answers(two_nodes, where))
    until(lambda: answers(two_nodes, where)[asked + ENOUGH :], PATIENCE)
    assert installed.calls_of(tmp_path, where) == {}

    began = time.time()
    apisnoop(two_nodes, "on", f"pod/{POLLER}", "-n", where, "--reset")
    until(lambda: sum(installed.calls_of(tmp_path, where).values()) >= ENOUGH, PATIENCE)
    found = answers(two_nodes, where)
    kept, *later = sorted({one.opened for one in found if not one.error})
    print(f"a new connection {later[0] - began:.2f} s after `on --reset` was begun")
    assert kept < began < later[0]
    if any(gap.namespace == where and is_overload(gap) for gap in installed.gaps(tmp_path)):
        return  # led past the proxy for a while, and perhaps broken by the agent
    assert older_connections(two_nodes, where) == 0
    assert {one.opened for one in found[-RATE:]} == {later[-1]}  # one that is kept again
    # What was under way on the broken connection has failed, and nothing else.
    assert [one for one in found if one.error and one.at > later[0]] == []


def older_connections(cluster, where):
    """Tell how many connections of the pod are older than its recording; None where it is not recorded."""
    pods = json.loads(apisnoop(cluster, "status", "-n", where, "-o", "json"))["pods"]
    return next((one["existing"] for one in pods if one["state"] == "intercepting"), None)
