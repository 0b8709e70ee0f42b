"""What a node's proxy answers on loopback."""

import asyncio
import json
import os
import socket
import subprocess
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest

from apisnoop.calls.recording import POD_ENDED, WANTED_NO_MORE
from apisnoop_addons.node import ledger as ledger_module
from apisnoop_addons.node import loopback as module
from apisnoop_addons.node import snapshots as snapshots_module
from apisnoop_addons.node.loopback import serve
from apisnoop_addons.node.snapshots import Snapshots
from tests.addons.node.test_ledger import POD, call, counted, opened
from tests.looped import eventually, in_loop

SIZE = 64 * 2**20


def free_port():
    """Find a port of loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@asynccontextmanager
async def served(tmp_path):
    """Give a ledger and the port where it is asked."""
    async with opened(tmp_path / "s.db") as ledger:
        port = free_port()
        server = serve(ledger, lambda: ledger.status("n1", "1", {"u1": 2}), "127.0.0.1", port, scratch=tmp_path)
        try:
            yield ledger, port
        finally:
            server.stop()
            await server.close_all_connections()


async def answer(port, path):
    """Give the status and the body of an answer."""
    reader, writer, head = await ask(port, path)
    body = await reader.read()
    writer.close()
    return int(head.split()[1]), body


async def ask(port, path):
    """Send a request that ends its connection; give the reader behind the answer's head, and the status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    return reader, writer, head


@in_loop
async def test_a_snapshot_is_a_store(tmp_path):
    """What is sent can be opened, holds all calls, and nothing of it is left behind."""
    async with served(tmp_path) as (ledger, port):
        ledger.record(call())
        reader, writer, head = await ask(port, "/snapshot")
        (tmp_path / "pulled.db").write_bytes(await reader.read())
        writer.close()
        assert head.startswith("HTTP/1.1 200")
        assert "application/vnd.sqlite3" in head
        assert counted(tmp_path / "pulled.db") == 1
        assert not list(tmp_path.glob("snapshot-*"))


@in_loop
async def test_calls_stream_as_they_are_made(tmp_path):
    """Each arrives at once; a client that goes away is forgotten."""
    async with served(tmp_path) as (ledger, port):
        reader, writer, _ = await ask(port, "/calls")
        ledger.record(call())
        await reader.readline()  # the chunk's size
        assert json.loads(await reader.readline())["verb"] == "list"
        writer.close()
        await eventually(lambda: not ledger._watchers)


@in_loop
async def test_the_status_tells_of_each_pod_what_was_seen_of_it(tmp_path):
    """Calls and connections that could not be read are counted for each pod from the beginning of its recording."""
    async with served(tmp_path) as (ledger, port):
        ledger.begin(POD)
        ledger.record(call())
        ledger.record(call(1))
        ledger.unseen(POD, "client-certificate")
        reader, writer, head = await ask(port, "/status")
        status = json.loads(await reader.read())
        writer.close()
        assert head.startswith("HTTP/1.1 200")
        assert status["node"] == "n1"
        assert status["losses"] == 1
        assert status["pods"] == [
            {
                "namespace": "shop",
                "name": "web-0",
                "uid": "u1",
                "calls": 2,
                "connections": 2,
                "unseen": {"client-certificate": 1},
                "since": "1970-01-01T00:01:40+00:00",
                "gaps": 0,
                "missed": 0.0,
                "last_gap": None,
                "gap_reason": "",
            }
        ]


@in_loop
async def test_the_status_forgets_a_pod_that_has_ended(tmp_path):
    """What is counted of a pod does not outlive the pod, so that nothing grows with pods that come and go."""
    async with served(tmp_path) as (ledger, _):
        ledger.begin(POD)
        ledger.record(call())
        ledger.end(POD, WANTED_NO_MORE)
        assert ledger.status("n1", "1", {}).pods == ()
        ledger.end(POD, POD_ENDED)
        assert not ledger._seen
        ledger.begin(POD)
        assert ledger.status("n1", "1", {}).pods[0].calls == 0


@in_loop
async def test_a_full_disk_makes_the_proxy_unready_and_no_more(tmp_path):
    """It runs and keeps what it has in memory: another process would not mend the disk, and would have lost that."""
    with small_disk(tmp_path / "disk") as disk:
        async with served(disk) as (ledger, port):
            assert await answer(port, "/readyz") == (200, b"ok\n")
            filler = fill(disk)
            ledger.record(call())
            for path in ("/snapshot", "/readyz"):
                status, said = await answer(port, path)
                assert status == 503
                assert said.endswith(b"full)\n")
                assert said.count(b"\n") == 1
            assert await answer(port, "/healthz") == (200, b"ok\n")
            assert not list(disk.glob("snapshot-*"))
            filler.unlink()
            status, store = await answer(port, "/snapshot")
            assert status == 200
            assert await answer(port, "/readyz") == (200, b"ok\n")
    (tmp_path / "pulled.db").write_bytes(store)
    assert counted(tmp_path / "pulled.db") == 1


@contextmanager
def small_disk(folder):
    """Mount a file system of a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """Leave no room on it; give the file that takes all of it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


@in_loop
async def test_a_store_that_does_not_answer_makes_the_proxy_unready(tmp_path, monkeypatch):
    """A write that never ends tells of no error."""
    async with served(tmp_path) as (_, port):
        monkeypatch.setattr(ledger_module, "STUCK_SECONDS", -1)
        status, said = await answer(port, "/readyz")
        assert status == 503
        assert b"has taken nothing for 0 s" in said


@in_loop
async def test_there_is_nothing_else(tmp_path):
    """Whatever else is asked for."""
    async with served(tmp_path) as (_, port):
        assert (await answer(port, "/else"))[0] == 404


class Large:
    """A source whose snapshots are larger than what connections hold."""

    trouble = ""

    def __init__(self):
        self.made = asyncio.Queue()

    async def snapshot(self, path):
        """Write one."""
        with path.open("wb") as file:
            file.truncate(SIZE)
        self.made.put_nowait(path)


@asynccontextmanager
async def large(tmp_path):
    """Give such a source, and the port where it is asked."""
    source, port = Large(), free_port()
    server = serve(source, lambda: None, "127.0.0.1", port, scratch=tmp_path)
    try:
        yield source, port
    finally:
        server.stop()
        await server.close_all_connections()


async def begin(port):
    """Ask for a snapshot and read nothing of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
    writer.write(b"GET /snapshot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return reader, writer


@in_loop
async def test_a_client_that_goes_away_makes_room_for_the_next(tmp_path, monkeypatch):
    """Whether it was being sent a snapshot or waited for one, which is not made then."""
    monkeypatch.setattr(snapshots_module, "TURN_SECONDS", 3600)
    async with large(tmp_path) as (source, port):
        _, first = await begin(port)
        await source.made.get()
        _, second = await begin(port)
        assert (await answer(port, "/healthz"))[0] == 200  # by now the second waits
        second.transport.abort()
        third = asyncio.create_task(answer(port, "/snapshot"))
        assert (await answer(port, "/healthz"))[0] == 200  # by now it is known to have gone
        first.transport.abort()
        status, body = await third
        assert (status, len(body)) == (200, SIZE)
        assert source.made.qsize() == 1


@in_loop
async def test_a_client_that_takes_nothing_is_let_go(tmp_path, monkeypatch):
    """Others wait for their turn."""
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.1)
    monkeypatch.setattr(snapshots_module, "TURN_SECONDS", 3600)
    made = []
    monkeypatch.setattr(module, "Snapshots", lambda *about: made.append(Snapshots(*about)) or made[0])
    async with large(tmp_path) as (source, port):
        reader, writer = await begin(port)
        await source.made.get()
        async with made[0].take(lambda: True) as file:
            assert file is not None
        assert len(await reader.read()) < SIZE
        writer.close()
