"""One call from end to end."""

import asyncio

from tests.addons.engine.h2_peer import H2Peer
from tests.addons.engine.rig import Rig


async def call(client: H2Peer, path: str = "/api/v1/pods") -> None:
    """Make a call that must go well."""
    assert await client.fetch("GET", path) == (200, b"ok")


async def serve_one(rig: Rig, *, close: bool = False) -> H2Peer:
    """Answer one call as the server, and return the server's end of the connection."""
    server = await rig.next_h2()
    inner, _ = await server.next_request()
    server.respond(inner, b"ok")
    if close:
        await server.body(inner)
        await server.close()
    return server


async def begin_watch(rig: Rig, client: H2Peer) -> tuple[int, H2Peer, int]:
    """Begin a watch and let it have one event, b"event"; return its stream, the server's end, and its stream there."""
    watch = client.request("GET", "/api/v1/pods?watch=1")
    server = await rig.next_h2()
    inner, _ = await server.next_request()
    server.respond(inner, b"event", end=False)
    await client.expect_data(watch, 5)
    return watch, server, inner


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection is closed, however it is closed."""
    try:
        return await reader.read(-1)
    except (ConnectionError, OSError):
        return b""
