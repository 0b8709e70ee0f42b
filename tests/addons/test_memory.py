"""Nothing of a call stays in memory when it is over."""

import asyncio
import contextlib
import gc
import sys

import pytest

from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import Rig, rigged
from tests.looped import in_loop

PODS = "/api/v1/namespaces/shop/pods"
CONNECTIONS = 2
CALLS = 500
"""On each connection, one after the other."""
ROUNDS = 4
"""The first is for caches and buffers to get their size."""
SPARE = 200
"""Blocks of memory that a round may leave: the rig's own of each connection, and far fewer than one for each call."""
REQUEST = f"GET {PODS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {'x' * 800}\r\n\r\n".encode()
ANSWER = b"HTTP/1.1 200 OK\r\nAudit-Id: a\r\nContent-Length: 2\r\n\r\n{}"


async def answer_http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the proxy leaves."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)


async def answer_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer until the proxy leaves."""
    server = H2Peer(reader, writer, client=False)
    with contextlib.suppress(AssertionError):  # the peer's word for a connection that is closed
        while True:
            stream, _ = await server.next_request()
            await server.body(stream)
            server.respond(stream, b"{}", headers=[("audit-id", "a")])


async def ask_http1(rig: Rig, calls: int) -> None:
    """Ask on a connection of its own."""
    reader, writer = await rig.connect("http/1.1")
    for _ in range(calls):
        writer.write(REQUEST)
        await reader.readuntil(b"{}")
    writer.close()
    await writer.wait_closed()


async def ask_http2(rig: Rig, calls: int) -> None:
    """Ask on a connection of its own."""
    async with await rig.h2_client() as client:
        for _ in range(calls):
            await client.fetch("GET", PODS)


SPEAKERS = {"http/1.1": (ask_http1, answer_http1), "h2": (ask_http2, answer_http2)}


@pytest.mark.parametrize("protocol", SPEAKERS)
@in_loop
async def test_memory_does_not_grow_with_calls(tmp_path, protocol):
    """Counted in blocks of memory, which allocators do not blur; `scripts/bench proxy` measures a whole run."""
    ask, answer = SPEAKERS[protocol]
    async with rigged(tmp_path, protocols=(protocol,), answer=answer) as rig:

        async def blocks_after_round() -> int:
            for _ in range(CONNECTIONS):
                await ask(rig, CALLS)
            await rig.recorded(CONNECTIONS * CALLS)
            rig.calls.clear()
            gc.collect()
            return sys.getallocatedblocks()

        blocks = [await blocks_after_round() for _ in range(ROUNDS)]
        assert blocks[-1] - blocks[0] < (ROUNDS - 1) * SPARE
