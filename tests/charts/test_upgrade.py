"""An upgrade of the chart under a program that asks all the while."""

import json
import time
from contextlib import closing

import pytest

from apisnoop.calls.recording import UNSAID
from apisnoop.store.store import Store
from tests.charts.conftest import SETTINGS
from tests.charts.installation import until
from tests.charts.polling import POLLER, RATE, answers, apisnoop, gaps_reported, start_polling
from tests.inside.clock import is_overload

pytestmark = pytest.mark.cluster
STALL = 1.0
"""Seconds that no request takes, the handing over included, unless the machine is so busy that others' do."""
UNTOUCHED = "untouched"
"""A pod that is left alone and asks the same."""
ENOUGH = 3 * RATE
"""Calls that the new proxies record before one looks."""
NEAR = 1.5
"""Seconds: a report tells whole ones, and a call is recorded a moment after its answer."""
COUNT = """
    SELECT coalesce(sum(count), 0) FROM tallies JOIN callers ON callers.id = tallies.caller
    WHERE callers.namespace = ? AND callers.pod = ?
"""


def test_an_upgrade_hands_the_nodes_over(installed, two_nodes, polling, tmp_path):
    """No request fails or stalls, the new proxies record it, and what was not pulled before is the one gap reported."""
    where, db = polling, tmp_path / "pulled.db"
    two_nodes.until_deleted_pods_have_gone()  # those of the test before
    start_polling(two_nodes, where, name=UNTOUCHED, marked=False)
    until(lambda: sum(installed.calls_of(tmp_path, where).values()) >= ENOUGH)
    apisnoop(two_nodes, "pull", "--db", db)
    pulled = time.time()
    before = installed.agents()
    installed.install(*SETTINGS, "agent.leaseSeconds=6", verb="upgrade")
    assert set(before.values()).isdisjoint(installed.agents().values())
    until(lambda: sum(installed.calls_of(tmp_path, where).values()) >= ENOUGH)
    last = time.time()
    apisnoop(two_nodes, "pull", "--db", db)

    found = answers(two_nodes, where)
    ours, theirs = (slowest(one) for one in (found, answers(two_nodes, where, UNTOUCHED)))
    print(f"{len(found)} requests; the slowest took {ours:.2f} s, and {theirs:.2f} s in a pod that is left alone")
    assert [one for one in found if not one.direct] == []
    slow = [one for one in found if one.seconds >= STALL]
    assert ours < max(STALL, 2 * theirs), f"{slow}, handed over from {pulled:.3f} to {last:.3f}"

    gaps = gaps_reported(json.loads(apisnoop(two_nodes, "coverage", "--db", db, "--output=json")), where)
    (handing_over,) = (gap for gap in gaps if gap.start <= pulled < gap.end)
    assert handing_over.end < last
    assert handing_over.reason == UNSAID or is_overload(handing_over)  # it was overloaded when it was pulled
    assert [gap for gap in gaps if gap is not handing_over and not is_overload(gap)] == []
    certain, possible = (bounds(found, gaps, last, near) for near in (NEAR, -NEAR))
    assert certain <= recorded(db, where) <= possible
    assert certain > ENOUGH


def slowest(found):
    """Give the seconds that the slowest request took."""
    return max(one.seconds for one in found)


def bounds(found, gaps, last, near):
    """Count the requests that were made before a moment and outside of the gaps, by so many seconds."""

    def is_counted(moment):
        return moment < last - near and not any(gap.start - near < moment < gap.end + near for gap in gaps)

    return sum(is_counted(one.at) for one in found)


def recorded(db, where):
    """Count the pod's calls that are in a store."""
    with closing(Store.open(db, create=False, read_only=True)) as store:
        return store.connection.execute(COUNT, (where, POLLER)).fetchone()[0]
