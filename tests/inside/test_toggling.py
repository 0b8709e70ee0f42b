"""Switched on and off again and again while it works, a pod notices nothing."""

import time

import pytest

from tests.inside.pods import CLIENTS
from tests.inside.processes import wait_until
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

TOGGLES = 50
EVERY = 1.2
"""Seconds: all of them take a minute."""
SETTLED = 1.0
"""Seconds after the annotation, from which on new connections are recorded."""
STALL = 1.0
"""Seconds that a request may take longer than the longest does at the same time without us."""
RATES = {"fresh": 20, "http1": 45, "http2": 40}
LASTING = TOGGLES * EVERY + 5
END = "end-of-toggles"


def toggle(pod):
    """Switch a pod on and off; return when it was surely on: from a second after one call to the start of the next."""
    on, began = [], time.monotonic()
    for number in range(TOGGLES):
        time.sleep(max(0.0, began + number * EVERY - time.monotonic()))
        called = time.time()
        if number % 2:
            pod.annotate("apisnoop-")
            on[-1] = (on[-1], called)
        else:
            pod.annotate("apisnoop=true")
            on.append(time.time() + SETTLED)
    return on


@pytest.mark.unmet
def test_fifty_toggles_in_a_minute_are_not_noticed(shop, installation):
    """No request fails, stalls or is answered by us; what was surely on is recorded; off leaves nothing behind."""
    web, other = shop.pods("web", "other")
    with Tap(installation) as tap:
        polling = {kind: web.poll(kind, rate, LASTING) for kind, rate in RATES.items()}
        untouched = other.poll("fresh", RATES["fresh"], LASTING)
        informer = web.start(CLIENTS, "informer", f"--namespace={shop.namespace}", f"--until={END}")
        on = toggle(web)
        answers = {kind: running.answers() for kind, running in polling.items()}
        machine = untouched.answers()
        shop.cluster.kubectl("create", "configmap", END, "--namespace", shop.namespace)
        objects, complaints = informer.finish()
        recorded = {one.call.audit_id for one in tap.seen(shop.namespace)}
    every = [answer for found in answers.values() for answer in found]
    assert len(every) / sum(RATES.values()) > 0.9 * len(machine) / RATES["fresh"]  # a busy machine asks less often
    assert [answer for answer in every if answer.error] == []
    assert [answer for answer in every if not answer.audit_id or answer.status != 200] == []
    longest = max(answer.seconds for answer in machine)
    assert [answer for answer in every if answer.seconds > longest + STALL] == []
    assert "configmaps end-of-toggles" in objects
    assert complaints == ""
    expected = [
        answer for answer in every for begin, end in on if begin <= answer.opened and answer.at + answer.seconds < end
    ]
    assert len(expected) > 5  # an annotation takes most of its 1.2 s
    assert [answer for answer in expected if answer.audit_id not in recorded] == []
    worst = max(answer.seconds for answer in every)
    print(f"{len(every)} requests, longest {worst:.2f} s ({longest:.2f} s untouched), {len(expected)} surely on")
    wait_until(lambda: "apisnoop" not in installation.rules(web), "the table to go with its last connection", 20)
