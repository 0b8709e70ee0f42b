"""The main job on the real cluster: annotate a running pod, and every call it makes is recorded as what it was."""

import time

import pytest

from tests.inside.pods import CLIENTS
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

KUBECTL = (
    ("get", "pods"),
    ("create", "configmap", "made"),
    ("get", "configmap", "made", "-o", "json"),
    ("exec", "web", "--", "true"),
    ("logs", "web"),
    ("delete", "configmap", "made"),
)


def test_calls_of_a_running_pod_are_recorded_from_a_second_after_its_annotation(shop, installation, tmp_path):
    """Connections opened a second later: every call is recorded, none else, with pod, container and account."""
    (web,) = shop.pods("web")

    def work():
        since = time.time()
        with Tap(installation) as tap:
            web.annotate("apisnoop=true")
            time.sleep(1.0)  # the promise itself
            web.run(CLIENTS, "load", f"--namespace={shop.namespace}", "--calls=300", "--workers=3")
            for words in KUBECTL:
                web.run("kubectl", *words)
            truth = shop.compare(tap, since=since)
            web.annotate("apisnoop-")
        return truth

    truth = installation.undisturbed(web, tmp_path, work)
    assert truth.agreement.holds, str(truth.agreement)
    assert truth.agreement.events > 300 + len(KUBECTL)
    assert truth.wrongly_attributed({"app": ""}) == []
    assert {one.who.node for one in truth.seen} == {installation.node.name}
    assert {source for event in truth.events.values() for source in event.sources} == {web.address}
