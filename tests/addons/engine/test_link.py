"""One socket of a driver."""

import asyncio
import socket
import struct
from contextlib import closing
from types import SimpleNamespace

from mitmproxy.connection import ConnectionState, Server

from apisnoop_addons.engine.limits import READ_AT_ONCE
from apisnoop_addons.engine.link import Link
from tests.addons.node.pod_namespace import API, pod_namespace
from tests.looped import in_loop

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time."""
PORT = 40_000
SECONDS = 30.0


async def linked(near):
    """Make a connected socket a link that reads nothing; return it and the queue of those that are lost."""
    lost = asyncio.Queue()
    link = Link()
    link.connect(SimpleNamespace(lost=lost.put_nowait), Server(address=None, state=ConnectionState.OPEN))
    near.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: link, sock=near)
    transport.pause_reading()
    return link, lost


@in_loop
async def test_a_peer_is_read_in_pieces():
    """Others get their turn in between, however much it has to say."""
    near, far = socket.socketpair()
    with far:
        link, lost = await linked(near)
        assert link.transport.max_size == READ_AT_ONCE
        link.transport.abort()
        await lost.get()


@in_loop
async def test_it_reads_as_much_at_once_as_it_is_told():
    """After each piece it is said anew how large the next may be."""
    near, far = socket.socketpair()
    with far:
        link, lost = await linked(near)
        heard = asyncio.Queue()
        client = SimpleNamespace(arrived=lambda size: 7 * size)
        link.driver = SimpleNamespace(handle=heard.put_nowait, client=client, lost=lost.put_nowait)
        link.transport.resume_reading()
        far.sendall(b"hello")
        await heard.get()
        assert link.transport.max_size == 35
        link.transport.abort()
        await lost.get()


def connect(namespace, source):
    """Connect to the API from a port of one's choice."""
    client = namespace.run(socket.socket)
    client.settimeout(SECONDS)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind((API[0], source))
    client.connect(API)
    return client


async def close_with_something_unread(near, peer):
    """Have a link closed whose peer has said more than was read."""
    peer.sendall(b"unread")
    assert near.recv(1, socket.MSG_PEEK) == b"u"  # it is there
    link, lost = await linked(near)
    link.transport.abort()
    await lost.get()


@in_loop
async def test_an_end_told_to_a_peer_that_has_reset_ends_the_connection():
    """The reset may not have been read yet: the socket is closed, and its driver is told, as for any that is lost."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        peer, _ = listening.accept()
    link, lost = await linked(near)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()
    link.end_writing()
    assert await lost.get() is link
    assert not link.connection.state & ConnectionState.CAN_WRITE


@in_loop
async def test_a_peer_with_something_unread_is_told_the_end_before_the_reset():
    """And reads it as such."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        peer, _ = listening.accept()
    with peer:
        await close_with_something_unread(near, peer)
        assert peer.recv(1) == b""


@in_loop
async def test_a_port_that_is_used_again_is_not_led_where_nobody_listens():
    """The kernel forgets where a closed connection was led when its client opens another from the same port."""
    with pod_namespace() as namespace:
        with namespace.listen(("127.0.0.1", 0)) as listener:
            namespace.redirect(listener.getsockname()[1])
            with closing(connect(namespace, PORT)) as client:
                near, _ = listener.accept()
                await close_with_something_unread(near, client)
        namespace.lead_nowhere()
        with namespace.listen(API), closing(connect(namespace, PORT)) as client:
            assert client.getpeername() == API
