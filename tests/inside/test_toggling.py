"""Switched on and off again and again while it works, a pod notices nothing."""

import itertools
import time
from typing import NamedTuple

import pytest

from tests.inside.installation import is_overload
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
"""Seconds that a request may take longer than the longest does at the same time without us."""
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
        due += LINGERING if number % 10 == 0 else EVERY
    return toggles


def surely_on(toggles):
    """Give the times from a second after it was switched on to when it began to be switched off."""
    return [(on.returned + SETTLED, off.called) for on, off in itertools.batched(toggles, 2, strict=True)]


def overlaps(gap, begin, end):
    """Tell whether a pod was not recorded for a part of some time: the agent led connections past a proxy in need."""
    return gap.start < end and (gap.end is None or gap.end > begin - SETTLED)


def meet(one, other):
    """Tell whether two requests were under way at the same time."""
    return one.at <= other.at + other.seconds and other.at <= one.at + one.seconds


def story(answer, toggles):
    """Tell of an answer, and what was done just before its end."""
    ended = answer.at + answer.seconds
    last = next((one for one in reversed(toggles) if one.called <= ended), None)
    since = f"{ended - last.called:.3f} s after {'on' if last.on else 'off'}" if last else "before all toggles"
    return f"{since}, connected {answer.opened - answer.at:.3f} s after its begin: {answer}"


@pytest.mark.unmet
def test_fifty_toggles_in_a_minute_are_not_noticed(shop, installation, tmp_path):
    """No request fails, stalls or is answered by us; what was surely on is recorded; off leaves nothing behind."""
    web, other = shop.pods("web", "other")
    with Tap(installation) as tap:
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
    away = [answer for answer in machine if not answer.direct]  # a busy machine's server may not answer in time
    failed = [answer for answer in every if not answer.direct or answer.status != 200]
    assert [story(answer, toggles) for answer in failed if not any(meet(answer, other) for other in away)] == []
    longest = max(answer.seconds for answer in machine)
    assert [story(answer, toggles) for answer in every if answer.seconds > longest + STALL] == []
    assert "configmaps end-of-toggles" in objects
    assert complaints == ""
    gaps = [gap for gap in installation.gaps(web, tmp_path) if is_overload(gap)]
    times = [(begin, end) for begin, end in surely_on(toggles) if not any(overlaps(gap, begin, end) for gap in gaps)]
    expected = [
        answer
        for answer in every
        for begin, end in times
        if begin <= answer.opened and answer.at + answer.seconds < end
    ]
    assert expected or gaps
    assert [story(answer, toggles) for answer in expected if answer.audit_id not in recorded] == []
    worst = max(answer.seconds for answer in every)
    print(f"{len(every)} requests, longest {worst:.2f} s ({longest:.2f} s untouched, {len(away)} failed there)")
    print(f"{len(expected)} surely on, {len(gaps)} gaps")
    wait_until(lambda: "apisnoop" not in installation.rules(web), "the table to go with its last connection", 20)
