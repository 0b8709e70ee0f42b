"""A hostile pod harms itself at most."""

import json
import statistics
import sys
import time
from pathlib import Path

import pytest

from tests.inside.pods import python_volumes
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

ATTACKS = Path(__file__).parent / "attacks.py"
QUIET = 8.0
"""Seconds in which nobody attacks."""
ALLOWED = 0.05
"""Seconds that the 99th percentile may grow in any case: less than that is this machine's own mood."""


def attack(pod, *names):
    """Run attacks in a pod, and return what each tells."""
    output = pod.run(sys.executable, str(ATTACKS), *names, timeout=300)
    return {told.pop("attack"): told for told in map(json.loads, output.splitlines())}


def percentile(answers):
    return statistics.quantiles([answer.seconds for answer in answers], n=100)[98]


def test_forgeries_are_worth_what_they_are_without_us(shop, installation, tmp_path):
    """The listener itself says nothing; forged tokens, names and addresses neither open a door nor enter the record."""
    (outside,) = shop.pods("outside", volumes=python_volumes())
    hostile = shop.recorded_pod("hostile", volumes=python_volumes())

    def forge():
        since = time.time()
        with Tap(installation) as tap:
            told = attack(hostile, "listener", "forged")
            shop.compare(tap, since=since)
            return told, forged(tap, shop)

    told, calls = installation.undisturbed(hostile, tmp_path, forge)
    assert len(calls) == 3
    assert told["listener"] == {"ports": 1, "said": ""}
    assert told["forged"] == attack(outside, "forged")["forged"]
    assert told["forged"]["statuses"] == ["401", "403", "200"]
    assert {one.who.pod for one in calls} == {"hostile"}
    assert {one.who.service_account for one in calls} <= {f"{shop.namespace}/robot", ""}


def forged(tap, shop):
    return [one for one in tap.seen(shop.namespace) if one.who.client == "forger"]


@pytest.mark.unmet
def test_other_pods_hardly_notice_an_attack(shop, installation):
    """Garbage, endless headers, a client that never reads, thousands of half-open connections: p99 at most doubles."""
    hostile = shop.recorded_pod("hostile", volumes=python_volumes())
    victim = shop.recorded_pod("victim")
    before = [running.answers() for running in (victim.poll("fresh", 10, QUIET), victim.poll("http2", 20, QUIET))]
    polling = [victim.poll("fresh", 10, 45), victim.poll("http2", 20, 45)]
    told = attack(hostile, "garbage", "headers", "never_reads", "half_open")
    during = [running.answers() for running in polling]
    assert set(told) == {"garbage", "headers", "never_reads", "half_open"}
    for quiet, attacked in zip(before, during, strict=True):
        assert [answer for answer in attacked if not answer.direct] == []
        print(f"p99 {percentile(quiet) * 1000:.0f} ms, attacked {percentile(attacked) * 1000:.0f} ms")
        assert percentile(attacked) <= max(2 * percentile(quiet), percentile(quiet) + ALLOWED)
