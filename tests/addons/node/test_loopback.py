"""What a node's proxy answers on loopback."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.node.ledger import Ledger
from apisnoop_addons.node.loopback import serve
from tests.addons.node.test_ledger import POD, call, counted, opened
from tests.looped import eventually, in_loop


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
            }
        ]


@in_loop
async def test_the_status_forgets_a_pod_that_is_recorded_no_more(tmp_path):
    """What is counted of a pod does not outlive its recording, so that nothing grows with pods that come and go."""
    async with served(tmp_path) as (ledger, _):
        ledger.begin(POD)
        ledger.record(call())
        ledger.end(POD, "off")
        assert ledger.status("n1", "1", {}).pods == ()
        assert not ledger._seen
        ledger.begin(POD)
        assert ledger.status("n1", "1", {}).pods[0].calls == 0


@in_loop
@pytest.mark.parametrize(("path", "status"), [("/healthz", 503), ("/snapshot", 503), ("/else", 404)])
async def test_trouble_is_told(tmp_path, monkeypatch, path, status):
    """A store that cannot be written makes the proxy unwell, and no empty snapshot is sent for it."""

    async def refuse(*_):
        raise ApisnoopError("store is full")

    monkeypatch.setattr(Ledger, "snapshot", refuse)
    async with served(tmp_path) as (ledger, port):
        reader, writer, head = await ask(port, "/healthz")
        writer.close()
        assert head.startswith("HTTP/1.1 200")
        ledger.trouble = "store is full"
        reader, writer, head = await ask(port, path)
        assert head.startswith(f"HTTP/1.1 {status}")
        if status == 503:
            assert await reader.read() == b"store is full\n"
        writer.close()
