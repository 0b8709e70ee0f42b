"""One socket of a driver."""

import asyncio
import socket
import struct
from types import SimpleNamespace

from mitmproxy.connection import ConnectionState, Server

from apisnoop_addons.engine.link import Link
from tests.looped import in_loop

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time."""


@in_loop
async def test_an_end_told_to_a_peer_that_has_reset_ends_the_connection():
    """The reset may not have been read yet: the socket is closed, and its driver is told, as for any that is lost."""
    lost: asyncio.Queue[Link] = asyncio.Queue()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        peer, _ = listening.accept()
    near.setblocking(False)
    link = Link()
    link.connect(SimpleNamespace(lost=lost.put_nowait), Server(address=None, state=ConnectionState.OPEN))
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: link, sock=near)
    transport.pause_reading()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()
    link.end_writing()
    assert await lost.get() is link
    assert not link.connection.state & ConnectionState.CAN_WRITE
