"""Reads, writes and watches side by side, on a server that sends its clients away again and again.

With a real API server and real clients: tests/e2e/test_server_faults.py.
"""

import asyncio
import random
from collections import Counter

import pytest

from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import rigged
from tests.looped import in_loop

CLIENTS, WORKERS, ROUNDS = 2, 5, 20
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
WATCH = "/api/v1/watched?watch=1"


class Shedding:
    """A server that looks at some requests of a connection, then says GOAWAY and looks at no more of them.

    The request that made it say so has arrived and is not acted on. What it has looked at it finishes in its own time.
    """

    def __init__(self, seed):
        self._random = random.Random(seed)
        self.acted = Counter()
        self.sent_away = 0
        self._watches = []
        self._over = asyncio.Event()

    async def answer(self, reader, writer):
        server = H2Peer(reader, writer, client=False)
        async with asyncio.TaskGroup() as work:
            last = 0
            # More than the calls of one client at a time, which may all come again from a connection before this one.
            for _ in range(self._random.randint(2 * WORKERS, 6 * WORKERS)):
                found = await next_of(server)
                if found is None:
                    return
                last, headers = found
                work.create_task(self._act(server, last, headers))
            if await next_of(server):
                server.go_away(last)
                self.sent_away += 1

    async def _act(self, server, stream, headers):
        path = headers[":path"]
        if path == WATCH:
            await self._watch(server, stream)
            return
        body = await server.body(stream)
        self.acted[headers[":method"], path] += 1
        for watch in self._watches:
            watch.put_nowait(f"{path}\n".encode())
        for _ in range(self._random.randrange(8)):
            await asyncio.sleep(0)  # others come in between
        server.respond(stream, b"%d bytes" % len(body), status=201)

    async def _watch(self, server, stream):
        events = asyncio.Queue()
        server.respond(stream, b"begun\n", end=False)
        self._watches.append(events)
        while event := await events.get():
            server.send(stream, event)
        server.send(stream, b"over", end=True)

    def end_watches(self):
        for watch in self._watches:
            watch.put_nowait(b"")


async def next_of(server):
    """Give a connection's next request; None when its client has left."""
    try:
        return await server.next_request()
    except AssertionError:  # the peer's word for a connection that is closed
        return None


async def work(client, name):
    """Make calls of every kind, one after the other, and give what was answered in place of what should have been."""
    wrong = []
    for number in range(ROUNDS):
        method = METHODS[number % len(METHODS)]
        body = None if method in {"GET", "DELETE"} else b"x" * (number * 500)
        answer = await client.fetch(method, f"/api/v1/{name}-{number}", body=body)
        if answer != (201, b"%d bytes" % len(body or b"")):
            wrong.append((method, number, answer))
    return wrong


@pytest.mark.parametrize("seed", range(3))
@in_loop
async def test_nothing_fails_is_lost_or_done_twice(tmp_path, seed):
    """Every call is acted on exactly once and answered, and watches older than any GOAWAY see them all."""
    server = Shedding(seed)
    async with rigged(tmp_path, answer=server.answer) as rig:
        clients = [await rig.h2_client() for _ in range(CLIENTS)]
        watches = [client.request("GET", WATCH) for client in clients]
        for client, watch in zip(clients, watches, strict=True):
            await client.expect_data(watch, len(b"begun\n"))
        names = [(client, f"{place}-{worker}") for place, client in enumerate(clients) for worker in range(WORKERS)]
        assert await asyncio.gather(*(work(client, name) for client, name in names)) == [[]] * len(names)
        server.end_watches()
        seen = [
            (await client.body(watch)).decode().splitlines() for client, watch in zip(clients, watches, strict=True)
        ]
        for client in clients:
            await client.close()
        calls = CLIENTS * WORKERS * ROUNDS
        assert len(server.acted) == calls
        assert set(server.acted.values()) == {1}
        assert seen == [["begun", *lines, "over"] for lines in [seen[0][1:-1]] * CLIENTS]
        assert sorted(seen[0][1:-1]) == sorted(path for _, path in server.acted)
        recorded = await rig.recorded(calls + CLIENTS)
        assert [call for call in recorded if call.error] == []
        assert server.sent_away >= CLIENTS * 3
