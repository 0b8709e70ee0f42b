"""How late the event loop is."""

import asyncio
import time

from apisnoop_addons.engine import lag
from apisnoop_addons.engine.lag import LagMeter
from tests.addons.engine.rig import rigged
from tests.looped import eventually, in_loop


@in_loop
async def test_a_block_is_seen_while_it_counts_and_forgotten_then(monkeypatch):
    """The worst of the last second is what counts, at once, and also after smaller ones."""
    monkeypatch.setattr(lag, "WINDOW", 2.0)
    meter = LagMeter()
    meter.start()
    await asyncio.sleep(0.01)
    time.sleep(0.4)  # noqa: ASYNC251  the block that is to be seen
    assert meter.worst() >= 0.3
    await asyncio.sleep(2 * lag.INTERVAL)
    assert meter.worst() >= 0.3
    await eventually(lambda: meter.worst() < 0.3)
    meter.stop()


@in_loop
async def test_the_proxy_knows_its_lag(tmp_path):
    """For whoever sends heartbeats."""
    async with rigged(tmp_path) as rig:
        time.sleep(0.3)  # noqa: ASYNC251  as above
        assert rig.proxy.lag >= 0.2
