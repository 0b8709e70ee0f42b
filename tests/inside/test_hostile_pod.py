"""A hostile pod harms itself at most."""

import itertools
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.inside.bystanders import Bystanders, Comparison
from tests.inside.pods import Pod, python_volumes
from tests.inside.processes import wait_until
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

ATTACKS = Path(__file__).parent / "attacks.py"
OVER = {
    "headers": "",
    "garbage": "",
    "never_reads": "",
    "never_allows": "buffered_bytes",
    "unfinished": "buffered_bytes",
    "half_open": "handshakes_per_second",
    "storm": "handshakes_per_second",
    "patient": "connections",
}
"""Each attack, which has a pod of its own, and the limit that it crosses, if any: its pod is let go then."""
RATES = {"fresh": 25, "http2": 25}
API_DESCRIPTION = "/openapi/v2"
"""What attacks ask for: some megabytes, which the API server takes seconds to put together, once."""
NUMBERS = itertools.count()
"""Of pods' names: those of a round before are still there."""
ROUNDS = 4
QUIET = 12.0
"""Seconds without an attack, before them."""
LONGEST = 120.0
MEMORY = 250e6
"""Bytes that the proxy may occupy at most, whatever pods do."""


def attack(pod, *names):
    """Run attacks in a pod, and return what each tells."""
    return told_by(pod.run(sys.executable, str(ATTACKS), *names, timeout=300))


def told_by(output):
    return {told.pop("attack"): told for told in map(json.loads, output.splitlines())}


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


def test_attacks_meet_limits_and_the_pods_that_made_them(shop, installation, tmp_path):
    """The proxy keeps within its memory; who crosses a limit is let go, nobody else; no call of another pod fails."""
    victim = shop.recorded_pod("steady")
    played = installation.undisturbed(victim, tmp_path, lambda: under_attack(shop, installation, victim))
    check_arrivals(played.told)
    for name, limit in OVER.items():
        check_standing(installation, played.pods[name], tmp_path, limit)
    assert played.peak <= MEMORY
    installation.until_recorded(victim)


def test_other_pods_hardly_notice_attacks(shop, installation, tmp_path):
    """Their p99 at most doubles, beside what an untouched pod's grows by; one round of some is enough."""
    victim = shop.recorded_pod("victim")
    for _ in range(ROUNDS):
        played = installation.undisturbed(victim, tmp_path, lambda: under_attack(shop, installation, victim))
        if all(one.at_most_doubled for one in played.compared):
            break
    assert [one for one in played.compared if not one.at_most_doubled] == []


def under_attack(shop, installation, victim):
    """Have pods attack while two others ask, of which one, the victim, is recorded."""
    number = next(NUMBERS)
    (untouched,) = shop.pods(f"untouched-{number}")
    victim.run("kubectl", "get", "--raw", API_DESCRIPTION)
    pods = hostile_pods(shop, number)
    installation.proxy.forget_peak()
    bystanders = Bystanders(victim, untouched, RATES, LONGEST)
    time.sleep(QUIET)
    began = time.time()
    told = attacked(pods)
    compared = bystanders.compare(began, time.time())
    played = Round(pods, told, compared, installation.proxy.peak())
    print(*compared, *told.items(), f"the proxy took {played.peak / 1e6:.0f} MB", sep="\n")
    return played


class Round(NamedTuple):
    """What came of all attacks."""

    pods: dict[str, Pod]
    told: dict[str, dict[str, object]]
    compared: list[Comparison]
    peak: int


def hostile_pods(shop, number):
    """Create a pod for each attack, recorded."""
    names = [f"{name.replace('_', '-')}-{number}" for name in OVER]
    return dict(zip(OVER, shop.recorded_pods(*names, volumes=python_volumes()), strict=True))


def attacked(pods):
    """Have each pod attack, one after the other, and the patient one meanwhile; return what they tell."""
    patient = pods["patient"].start(sys.executable, str(ATTACKS), "patient")
    told = {name: attack(pod, name)[name] for name, pod in pods.items() if name != "patient"}
    return told | told_by(patient.finish()[0])


def check_arrivals(told):
    """Assert that each attack has met the proxy, and what became of it."""
    assert told["garbage"] == {"arrived": 40, "closed": 40}
    assert told["headers"]["arrived"] == 1
    assert told["headers"]["closed"]
    assert told["headers"]["sent"] < 20e6
    assert told["never_reads"]["arrived"] == 1
    assert told["never_allows"]["arrived"] >= 2
    assert told["never_allows"]["cut"] >= 1
    assert told["unfinished"]["arrived"] >= 30
    assert told["unfinished"]["cut"] >= 1
    assert told["half_open"]["connected"] >= 500
    assert told["half_open"]["arrived"] >= 100
    assert told["storm"]["connected"] >= 500
    assert told["storm"]["said"] == ""
    assert told["patient"]["arrived"] >= 500


def check_standing(installation, pod, folder, limit):
    """Assert that a pod has been let go for a limit, as its Events and the record say; or for none."""
    exceeded = f"exceeded its limit of {limit}"
    if limit:
        wait_until(lambda: any(exceeded in said for said in pod.events()), f"{pod.name}'s Event")
        assert not installation.is_recording(pod)
    assert bool(limit) == any(exceeded in gap.reason for gap in installation.gaps(pod, folder))
