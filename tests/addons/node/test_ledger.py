"""The ledger of a node."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import POD_ENDED, UNSAID, WANTED_NO_MORE, Recording, gaps_of
from apisnoop.operations.source import load_catalogue
from apisnoop.store import queries
from apisnoop.store.recordings import recordings_in
from apisnoop.store.store import Store
from apisnoop_addons.node import ledger as module
from apisnoop_addons.node.ledger import Ledger
from tests.looped import eventually, in_loop

CATALOGUE = load_catalogue()
POD = Caller(node="n1", namespace="shop", pod="web-0", pod_uid="u1")


class Clock:
    """A clock that a test turns."""

    now = 100.0

    def __call__(self):
        return self.now


def call(number=0):
    """Make a call of the pod."""
    return Call(
        match=CATALOGUE.match("GET", "/api/v1/nodes"),
        caller=POD,
        method="GET",
        path="/api/v1/nodes",
        status=200,
        started=1.8e9 + number,
        duration=0.1,
        request_bytes=0,
        response_bytes=0,
        warnings=(),
        audit_id="",
        error="",
    )


@asynccontextmanager
async def opened(path, clock=None):
    """Give an open ledger."""
    ledger = Ledger(path, clock=clock or Clock())
    await ledger.open()
    ledger.catalogue = CATALOGUE
    try:
        yield ledger
    finally:
        with suppress(RuntimeError):
            await ledger.close()


def counted(path):
    """Count the calls in a store."""
    with Store.open(path, read_only=True) as store:
        return sum(row.ok + row.errors for row in queries.uses(store.connection))


@in_loop
async def test_calls_are_on_the_disk_after_a_while(tmp_path, monkeypatch):
    """What has been recorded is written without anybody's asking."""
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    async with opened(tmp_path / "s.db") as ledger:
        writing = asyncio.create_task(ledger.run())
        ledger.record(call())
        await eventually(lambda: counted(tmp_path / "s.db"))
        writing.cancel()
    assert counted(tmp_path / "s.db") == 1


@in_loop
async def test_a_snapshot_has_all_that_is_known(tmp_path):
    """Calls of this very moment are in it, and the recordings that go on."""
    clock = Clock()
    async with opened(tmp_path / "s.db", clock) as ledger:
        ledger.begin(POD)
        ledger.record(call())
        clock.now = 105.0
        ledger.confirm()
        await ledger.snapshot(tmp_path / "copy.db")
    assert counted(tmp_path / "copy.db") == 1
    with Store.open(tmp_path / "copy.db", read_only=True) as copy:
        assert recordings_in(copy.connection) == [Recording("n1", "shop", "web-0", "u1", 100.0, 105.0)]


@in_loop
async def test_replicas_are_told_apart_for_a_while_only(tmp_path):
    """After the retention time their calls count for the workload; how many there were stays known."""
    replicas = [msgspec.structs.replace(POD, pod=f"web-{at}", workload="statefulset/web") for at in range(2)]
    clock = Clock()
    clock.now = 1.8e9
    found = []
    async with opened(tmp_path / "s.db", clock) as ledger:
        for pod in replicas:
            ledger.record(msgspec.structs.replace(call(), caller=pod))
        for days in (6, 8):
            clock.now = 1.8e9 + days * 86_400
            await ledger.snapshot(tmp_path / f"{days}.db")
            with Store.open(tmp_path / f"{days}.db", read_only=True) as store:
                found.append([caller.pod for caller in queries.callers(store.connection)])
    assert found == [["web-0", "web-1"], [""]]
    assert counted(tmp_path / "8.db") == 2


@in_loop
async def test_a_full_store_counts_on_in_coarser_words(tmp_path):
    """A volume that overflowed would cost the node its agent; no call is lost over it."""
    ledger = Ledger(tmp_path / "s.db", most_bytes=1, clock=Clock())
    await ledger.open()
    for number in range(3):
        ledger.record(msgspec.structs.replace(call(), caller=msgspec.structs.replace(POD, pod=f"web-{number}")))
    await ledger.close()
    assert counted(tmp_path / "s.db") == 3
    with Store.open(tmp_path / "s.db", read_only=True) as store:
        (tallies,) = store.connection.execute("SELECT count(*) FROM tallies").fetchone()
    assert tallies == 1


@in_loop
async def test_a_killed_proxy_leaves_a_gap(tmp_path):
    """The next one finds what its predecessor did not end, and the pod's next recording bounds the gap."""
    clock = Clock()
    async with opened(tmp_path / "s.db", clock) as killed:
        killed.begin(POD)
        await killed.snapshot(tmp_path / "disk.db")
    clock.now = 130.0
    async with opened(tmp_path / "disk.db", clock) as ledger:
        ledger.begin(POD)
    with Store.open(tmp_path / "disk.db", read_only=True) as store:
        (first, second) = gaps_of(recordings_in(store.connection))
    assert (first.start, first.end, first.reason) == (100.0, 130.0, UNSAID)
    assert (second.end, second.reason) == (None, "the proxy was stopped")


@in_loop
async def test_what_the_store_refuses_is_given_again(tmp_path, monkeypatch):
    """A store that is locked or full loses nothing; the trouble is told while it lasts."""
    async with opened(tmp_path / "s.db") as ledger:
        add = Store.add

        def refuse(*_, **__):
            raise module.ApisnoopError("store s.db is full")

        monkeypatch.setattr(Store, "add", refuse)
        ledger.begin(POD)
        ledger.record(call())
        ledger.end(POD, "off")
        await ledger.snapshot(tmp_path / "empty.db")
        assert ledger.trouble == "store s.db is full"
        monkeypatch.setattr(Store, "add", add)
        ledger.record(call(1))
        await ledger.snapshot(tmp_path / "copy.db")
        assert ledger.trouble == ""
    assert (counted(tmp_path / "empty.db"), counted(tmp_path / "copy.db")) == (0, 2)
    with Store.open(tmp_path / "copy.db", read_only=True) as copy:
        assert [one.ended for one in recordings_in(copy.connection)] == ["off"]


@in_loop
async def test_connections_not_seen_are_counted(tmp_path):
    """Pod, container and reason are told in the store's losses."""
    async with opened(tmp_path / "s.db") as ledger:
        ledger.unseen(Caller(namespace="shop", pod="web-0", container="app"), "client-certificate")
        await ledger.snapshot(tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db", read_only=True) as copy:
        (loss,) = queries.losses(copy.connection)
    assert (loss.source, loss.reason, loss.count) == (
        "shop/web-0 container app",
        "connection not seen: client-certificate",
        1,
    )


@in_loop
async def test_a_watcher_gets_calls_and_is_told_what_it_missed(tmp_path, monkeypatch):
    """Each call is a line; one that reads too slowly loses the newest, counted, and costs no memory."""
    monkeypatch.setattr(module, "MOST_LINES", 2)
    async with opened(tmp_path / "s.db") as ledger:
        watcher = ledger.watch()
        for number in range(5):
            ledger.record(call(number))
        left_out, first = (await watcher.next()).splitlines()
        second = await watcher.next()
        assert json.loads(left_out) == {"left_out": 3}
        assert [json.loads(line)["path"] for line in (first, second)] == ["/api/v1/nodes"] * 2
        waiting = asyncio.create_task(watcher.next())
        ledger.record(call(9))
        assert json.loads(await waiting)["status"] == 200
        watcher.close()
        assert await watcher.next() == b""
        ledger.record(call(10))
        assert not ledger._watchers


@in_loop
async def test_a_store_of_another_kind_is_refused(tmp_path):
    """A ledger that could keep nothing does not begin."""
    (tmp_path / "s.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(module.ApisnoopError):
        async with opened(tmp_path / "s.db"):
            pass


@in_loop
async def test_a_recording_ends_when_it_is_said_to_have(tmp_path):
    """Who learns late that nothing was recorded any more says since when; it is never before the beginning."""
    clock = Clock()
    async with opened(tmp_path / "s.db", clock) as ledger:
        ledger.begin(POD)
        clock.now = 150.0
        ledger.confirm()
        clock.now = 200.0
        ledger.end(POD, "late", at=150.0)
        clock.now = 300.0
        ledger.begin(POD)
        ledger.end(POD, "early", at=1.0)
        await ledger.snapshot(tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db", read_only=True) as store:
        found = [(one.since, one.until, one.ended) for one in recordings_in(store.connection)]
    assert found == [(100.0, 150.0, "late"), (300.0, 300.0, "early")]


@in_loop
async def test_a_recording_goes_on_as_far_as_is_confirmed(tmp_path):
    """A process that stood still has recorded nothing meanwhile, however late it writes."""
    clock = Clock()
    async with opened(tmp_path / "s.db", clock) as ledger:
        ledger.begin(POD)
        clock.now = 150.0
        ledger.confirm()
        clock.now = 200.0
        await ledger.snapshot(tmp_path / "copy.db")
    with Store.open(tmp_path / "copy.db", read_only=True) as store:
        assert [one.until for one in recordings_in(store.connection)] == [150.0]


@in_loop
async def test_totals_of_a_pod_go_over_its_gaps(tmp_path):
    """A proxy that is left out for a moment has not begun anew; a pause that was wanted is no gap."""
    clock = Clock()
    async with opened(tmp_path / "s.db", clock) as ledger:
        ledger.begin(POD)
        ledger.record(call())
        clock.now = 110.0
        ledger.end(POD, "the proxy is overloaded: 312 ms late", at=109.0)
        assert ledger.status("n1", "1", {}).pods == ()
        clock.now = 112.0
        ledger.begin(POD)
        ledger.record(call())
        ledger.end(POD, WANTED_NO_MORE)
        clock.now = 200.0
        ledger.begin(POD)
        (pod,) = ledger.status("n1", "1", {}).pods
        assert (pod.calls, pod.since) == (2, "1970-01-01T00:01:40+00:00")
        assert (pod.gaps, pod.missed, pod.last_gap) == (1, 3.0, "1970-01-01T00:01:49+00:00")
        assert pod.gap_reason == "the proxy is overloaded: 312 ms late"
        ledger.end(POD, POD_ENDED)
        ledger.begin(POD)
        assert ledger.status("n1", "1", {}).pods[0].calls == 0


@in_loop
async def test_totals_are_kept_of_so_many_pods(tmp_path, monkeypatch):
    """Of those that are recorded always; of others the oldest are forgotten."""
    monkeypatch.setattr(module, "MOST_PODS", 2)
    pods = [msgspec.structs.replace(POD, pod_uid=f"u{number}") for number in range(3)]
    async with opened(tmp_path / "s.db") as ledger:
        ledger.begin(pods[0])
        ledger.begin(pods[1])
        ledger.end(pods[1], WANTED_NO_MORE)
        ledger.begin(pods[2])
        for one in (pods[0], pods[2]):
            ledger.record(msgspec.structs.replace(call(), caller=one))
        assert [pod.calls for pod in ledger.status("n1", "1", {}).pods] == [1, 1]
        ledger.begin(pods[1])
        assert {pod.uid: pod.calls for pod in ledger.status("n1", "1", {}).pods} == {"u0": 1, "u1": 0, "u2": 1}
