"""What the health of the proxy means for all pods. With pods and a proxy that are: test_agent, test_workers."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from apisnoop.node.messages import Beat
from apisnoop_tproxy import proxy_control
from apisnoop_tproxy.destinations import Reach
from apisnoop_tproxy.proxy_control import ProxyControl
from tests.looped import eventually, in_loop

WORKER = SimpleNamespace(number=0, say=lambda *_: None)


def control(pods):
    """Make one whose proxy has just connected."""
    found = ProxyControl(SimpleNamespace(workers={0}, connected=True, say=lambda *_: None), pods, None, Reach(), 5.0)
    found.joined(WORKER)
    return found


@in_loop
async def test_all_pods_are_let_go_before_any_connection_is_broken():
    """When the proxy seems dead, sets are emptied first: breaking connections takes its time."""
    done = []

    def stand_in(name):
        return SimpleNamespace(
            touched=asyncio.Event(),
            shed=lambda _: done.append(f"shed {name}"),
            break_carried=lambda: done.append(f"break {name}"),
        )

    control({name: stand_in(name) for name in "ab"})._judge(time.monotonic() + 60)
    await eventually(lambda: len(done) == 4)
    assert done == ["shed a", "shed b", "break a", "break b"]


@pytest.mark.parametrize(("looks", "well"), [((), True), ((1.0, 1.3, 1.6, 1.9), False)])
def test_silence_counts_only_while_somebody_listens(monkeypatch, looks, well):
    """A beat that comes late, when our own loop has stood still, is no reason to shed; one that we have missed is."""
    clock = SimpleNamespace(now=1.0, time=time.time)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(proxy_control, "time", clock)
    found = control({})
    for clock.now in looks:
        found._look(clock.now)
    clock.now = 2.0
    found.hear(WORKER, Beat(0.0))
    assert found.well is well
