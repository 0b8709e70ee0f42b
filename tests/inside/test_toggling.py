"""Switched on and off again and again while it works, a pod notices nothing.

What is counted against us is what the pod met and one beside it, which is left alone, did not meet at that time.
"""

import itertools
import time
from typing import NamedTuple

import pytest

from tests.inside.clock import LATE, Clock
from tests.inside.pods import CLIENTS
from tests.inside.processes import wait_until
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

TOGGLES = 50
EVERY, LINGERING = 1.0, 3.0
"""Seconds from one to the next, and how long every fifth "on" lasts: all of them take a minute."""
SETTLED = 1.0
"""Seconds after the annotation, from which on new connections are recorded."""
STALL = 1.0
"""Seconds that a request may take longer than all that the untouched pod makes at the same time."""
PORTS = "33000 38000"
"""Those that the pod's connections are opened from. They come up again while connection tracking still knows them, but
after some 14 s, so not within the ten of one that was reset. Behind such a reset of the proxy's own connection the next
goes past it (README of `tproxy`); what is forgotten of the pod's, and when, is tested by itself.
"""
RATES = {"fresh": 20, "http1": 45, "http2": 40}
LASTING = 65.0
END = "end-of-toggles"


class Toggle(NamedTuple):
    """One of them. Moments are seconds since the epoch."""

    on: bool
    called: float
    returned: float


def toggle(pod):
    """Switch a pod on and off, and return when."""
    toggles, due = [], time.monotonic()
    for number in range(TOGGLES):
        time.sleep(max(0.0, due - time.monotonic()))
        on, called = number % 2 == 0, time.time()
        pod.annotate("apisnoop=true" if on else "apisnoop-")
        toggles.append(Toggle(on, called, time.time()))
        due = time.monotonic() + LINGERING if number % 10 == 0 else max(due + EVERY, time.monotonic())
    return toggles


def surely_on(toggles):
    """Give the times from a second after it was switched on to when it began to be switched off."""
    return [(on.returned + SETTLED, off.called) for on, off in itertools.batched(toggles, 2, strict=True)]


def overlaps(gap, begin, end):
    """Tell whether a pod was not recorded for a part of some time."""
    return gap.start < end and (gap.end is None or gap.end > begin - SETTLED)


def meet(one, other):
    """Tell whether two requests were under way at the same time."""
    return one.at <= other.at + other.seconds and other.at <= one.at + one.seconds


def stalls(answer, others):
    """Tell whether a request took longer than others at its time did, by more than it may."""
    longest = max((other.seconds for other in others if meet(answer, other)), default=0.0)
    return answer.seconds > longest + STALL


def story(answer, toggles):
    """Tell of an answer, and what was done just before its end."""
    ended = answer.at + answer.seconds
    last = next((one for one in reversed(toggles) if one.called <= ended), None)
    since = f"{ended - last.called:.3f} s after {'on' if last.on else 'off'}" if last else "before all toggles"
    return f"{since}, its connection begun {answer.opened - answer.at:.3f} s after it was: {answer}"


def test_fifty_toggles_in_a_minute_are_not_noticed(shop, installation, tmp_path):
    """No request fails, stalls or is answered by us; what was surely on is recorded; off leaves nothing behind."""
    web, other = shop.pods("web", "other")
    installation.in_namespace_of(web, "sysctl", "-w", f"net.ipv4.ip_local_port_range={PORTS}")
    with Tap(installation) as tap, Clock(installation) as clock:
        polling = {kind: web.poll(kind, rate, LASTING) for kind, rate in RATES.items()}
        untouched = other.poll("fresh", RATES["fresh"], LASTING)
        informer = web.start(CLIENTS, "informer", f"--namespace={shop.namespace}", f"--until={END}")
        toggles = toggle(web)
        answers = {kind: running.answers() for kind, running in polling.items()}
        machine = untouched.answers()
        shop.cluster.kubectl("create", "configmap", END, "--namespace", shop.namespace)
        objects, complaints = informer.finish()
        recorded = {one.call.audit_id for one in tap.seen(shop.namespace)}
    every = [answer for found in answers.values() for answer in found]
    assert len(every) / sum(RATES.values()) > 0.9 * len(machine) / RATES["fresh"]  # a busy machine asks less often
    away = [answer for answer in machine if not answer.direct]  # the API server itself did not answer
    failed = [answer for answer in every if not answer.direct or answer.status != 200]
    assert [story(answer, toggles) for answer in failed if not any(meet(answer, other) for other in away)] == []
    assert [story(answer, toggles) for answer in every if stalls(answer, machine)] == []
    assert "configmaps end-of-toggles" in objects
    assert complaints == ""
    gaps = installation.gaps(web, tmp_path)
    print(f"{len(every)} requests, {len(failed)} failed, {len(away)} of the untouched; {len(gaps)} gaps")
    assert clock.unexplained(gaps) == []
    times = [
        (begin, end)
        for begin, end in surely_on(toggles)
        if not any(overlaps(gap, begin, end) for gap in gaps) and clock.worst(begin - SETTLED, begin) < LATE
    ]
    expected = [
        answer
        for answer in every
        for begin, end in times
        if begin <= answer.opened and answer.at + answer.seconds < end
    ]
    print(f"{len(expected)} surely on, in {len(times)} stretches")
    assert expected
    assert [story(answer, toggles) for answer in expected if answer.audit_id not in recorded] == []
    wait_until(lambda: "apisnoop" not in installation.rules(web), "the table to go with its last connection", 20)
