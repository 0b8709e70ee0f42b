"""Much at once, from several pods and from two containers of one: each call once, and each with its own caller."""

import time
from collections import Counter

import pytest

from tests.inside.clock import Clock
from tests.inside.pods import CLIENTS
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

CALLS = 5_000
"""Of each of four containers."""


def test_twenty_thousand_calls_are_recorded_as_the_audit_log_has_them(shop, installation, tmp_path):
    """Verb, path, status, pod, container and service account: none missing, none extra, and no gap.

    Unless the machine is so busy with other things that a small program is late as well.
    """
    pods = [*shop.pods("one", "two"), *shop.pods("three", containers=("app", "sidecar"))]
    for pod in pods:
        pod.annotate("apisnoop=true")
    for pod in pods:
        installation.until_recorded(pod)
    time.sleep(1.0)
    with Tap(installation) as tap, Clock(installation) as clock:
        containers = [(pods[0], "app"), (pods[1], "app"), (pods[2], "app"), (pods[2], "sidecar")]
        running = [
            pod.start(
                CLIENTS, "load", f"--namespace={shop.namespace}", f"--calls={CALLS}", "--workers=2", f"--agent={name}",
                container=name,
            )
            for pod, name in containers
        ]  # fmt: skip
        for one in running:
            one.finish(400)
        truth = shop.compare(tap)
    print(truth.agreement)
    assert truth.agreement.holds, str(truth.agreement)
    assert truth.agreement.events >= len(containers) * CALLS
    assert truth.wrongly_attributed({"app": "/app", "sidecar": "/sidecar"}) == []
    by_container = Counter((one.who.pod, one.who.container) for one in truth.seen)
    assert by_container.keys() == {(pod.name, name) for pod, name in containers}
    gaps = [gap for pod in pods for gap in installation.gaps(pod, tmp_path)]
    late = [f"{clock.about(gap) * 1000:.0f} ms" for gap in gaps]
    print(f"{len(gaps)} gaps {late}; a small program was late by {clock.worst() * 1000:.0f} ms at worst")
    assert clock.unexplained(gaps) == []
