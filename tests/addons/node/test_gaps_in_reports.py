"""From a proxy that is killed to the gap in the report."""

import msgspec
import pytest

from apisnoop.calls.recording import UNSAID
from apisnoop.coverage.measure import coverage_of
from apisnoop.reports.table import render_coverage
from apisnoop.store.pull import pull_into
from apisnoop.store.store import Store
from tests.addons.node.test_ledger import CATALOGUE, POD, Clock, call, opened
from tests.looped import in_loop

NINE = 1_780_304_400.0


@pytest.fixture
def clock():
    """A clock that begins at nine."""
    clock = Clock()
    clock.now = NINE
    return clock


def pull(target, path, taken):
    """Pull a snapshot into a store."""
    with Store.open(path, create=False, read_only=True) as snapshot:
        return pull_into(target, snapshot, node="n1", taken=taken)


async def record(ledger, clock, seconds, calls):
    """Record a pod for some seconds, in which it makes some calls."""
    ledger.begin(POD)
    for _ in range(calls):
        ledger.record(msgspec.structs.replace(call(), started=clock.now))
    clock.now += seconds
    ledger.confirm()


@in_loop
async def test_a_killed_proxy_is_a_gap_in_the_report(tmp_path, clock):
    """Pulled while it went on, after it was killed and after it came back: one gap, all calls, none twice."""
    with Store.open(":memory:") as store:
        async with opened(tmp_path / "killed.db", clock) as killed:
            await record(killed, clock, 60, calls=3)
            await killed.snapshot(tmp_path / "disk.db")
        assert pull(store, tmp_path / "disk.db", clock.now).new == 3
        clock.now += 30
        async with opened(tmp_path / "disk.db", clock) as ledger:
            await record(ledger, clock, 60, calls=2)
            await ledger.snapshot(tmp_path / "later.db")
        assert pull(store, tmp_path / "later.db", clock.now).new == 2
        report = coverage_of(store, CATALOGUE)
    found = report.provenance.recordings
    assert [(gap.start, gap.end, gap.reason) for gap in found.gaps] == [(NINE + 60, NINE + 90, UNSAID)]
    assert (found.pod_count, found.seconds, report.provenance.calls) == (1, 120.0, 5)
    text = render_coverage(report)
    assert "Recorded with 1 gap, 30 s in all: calls made meanwhile are not known." in text
    assert "shop/web-0 on n1: 30 s, from 2026-06-01 09:01:00 UTC to 2026-06-01 09:01:30 UTC" in text


@in_loop
async def test_a_proxy_that_lost_its_disk_is_a_gap_since_it_was_last_pulled(tmp_path, clock):
    """What the old store has recorded after that pull is gone with it, and so is part of the gap."""
    with Store.open(":memory:") as store:
        async with opened(tmp_path / "old.db", clock) as ledger:
            await record(ledger, clock, 60, calls=3)
            await ledger.snapshot(tmp_path / "pulled.db")
        pull(store, tmp_path / "pulled.db", clock.now)
        clock.now += 100
        async with opened(tmp_path / "new.db", clock) as ledger:
            await record(ledger, clock, 10, calls=1)
            await ledger.snapshot(tmp_path / "new-pulled.db")
        pull(store, tmp_path / "new-pulled.db", clock.now)
        found = coverage_of(store, CATALOGUE).provenance
    assert found.calls == 4
    assert [(gap.start, gap.end) for gap in found.recordings.gaps] == [(NINE + 60, NINE + 160)]
    assert len(found.sources) == 2
