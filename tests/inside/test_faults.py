"""Agent and proxy killed and frozen on a real node: the pod goes on without them, and the record says so."""

import signal
import time
from contextlib import suppress

import pytest

from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

LEASE = 5.0
"""Seconds after which the kernel forgets what the agent does not renew."""
HANG = 5.0
BEFORE, DURING, AFTER = 2.0, 7.5, 5.0


def kill_proxy(installation):
    installation.proxy.end(signal.SIGKILL)


def freeze_proxy(installation):
    installation.proxy.send(signal.SIGSTOP)


def end_proxy(installation):
    installation.proxy.end()


def end_both(installation):
    """End both at once, as when their pod is deleted."""
    installation.agent.send(signal.SIGTERM)
    installation.proxy.end()
    installation.agent.end()


def kill_agent(installation):
    installation.agent.end(signal.SIGKILL)


def freeze_agent(installation):
    installation.agent.send(signal.SIGSTOP)


def kill_both(installation):
    kill_agent(installation)
    kill_proxy(installation)


def start_proxy(installation):
    installation.proxy.start()


def wake_proxy(installation):
    installation.proxy.send(signal.SIGCONT)


def start_agent(installation):
    installation.agent.start()


def wake_agent(installation):
    installation.agent.send(signal.SIGCONT)


def start_both(installation):
    start_agent(installation)
    start_proxy(installation)


FAULTS = {
    "proxy killed": (kill_proxy, start_proxy, 1.0),
    "proxy frozen": (freeze_proxy, wake_proxy, 1.0),
    "agent killed": (kill_agent, start_agent, LEASE + 0.5),
    "agent frozen": (freeze_agent, wake_agent, LEASE + 0.5),
    "proxy ended": (end_proxy, start_proxy, 0.0),
    "both ended": (end_both, start_both, 0.0),
    "both killed": (kill_both, start_both, LEASE + 0.5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pod_goes_on_without_us(shop, installation, tmp_path, fault):
    """New connections reach the API directly after a while, none hangs; recording resumes, and the gap is known."""
    strike, mend, while_ = FAULTS[fault]
    web, untouched = shop.pods("web", "untouched")
    web.annotate("apisnoop=true")
    installation.until_recorded(web)
    polling = {kind: web.poll(kind, 20, BEFORE + DURING + AFTER) for kind in ("fresh", "http1", "http2")}
    beside = untouched.poll("fresh", 10, BEFORE + DURING + AFTER)
    time.sleep(BEFORE)
    struck = time.time()
    try:
        strike(installation)
        time.sleep(max(0.0, struck + DURING - time.time()))
    finally:
        mended = time.time()
        mend(installation)
    installation.wait_until_well()
    installation.until_recorded(web)
    answers = {kind: running.answers() for kind, running in polling.items()}
    fresh = [answer for answer in answers["fresh"] if struck + while_ <= answer.at]
    assert len(fresh) > 50
    assert [answer for answer in fresh if not answer.direct] == []
    longest = max(answer.seconds for answer in beside.answers())  # what this machine makes of it without us
    assert [answer for answer in fresh if answer.seconds > 1.0 + longest] == []
    every = [answer for found in answers.values() for answer in found]
    assert [answer for answer in every if answer.seconds > HANG + longest] == []
    assert_recording_resumed(shop, installation, web)
    gaps = [gap for gap in installation.gaps(web, tmp_path) if gap.end is not None and gap.end >= mended]
    assert gaps, "what was not recorded is not said"
    # A busy machine may have made one before, which then goes on.
    assert min(gap.start for gap in installation.gaps(web, tmp_path)) <= struck + max(while_, 1.0)


def assert_recording_resumed(shop, installation, web):
    """Ask once more, and see it recorded."""
    with Tap(installation) as tap:
        since = time.time()
        (answer,) = web.poll("fresh", 2, 0.9).answers()
        truth = shop.compare(tap, since=since)
    assert answer.audit_id in {one.call.audit_id for one in truth.seen}
    assert truth.agreement.holds, str(truth.agreement)


@pytest.fixture(autouse=True)
def _mended(installation):
    """Leave a running agent and proxy behind, whatever happens."""
    yield
    for process in (installation.agent, installation.proxy):
        with suppress(RuntimeError):
            process.ensure()
