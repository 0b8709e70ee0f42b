"""Messages and sockets over a Unix socket."""

import asyncio
import os
import socket
from pathlib import Path

from apisnoop.node.channel import MOST_AT_ONCE, MOST_WAITING, Channel, connect, listen, peer_user
from apisnoop.node.messages import FROM_AGENT, FROM_PROXY, Beat, Dialled, Hello, Renewed, encode
from tests.looped import in_loop


class End:
    """One end of a channel, remembering what it hears."""

    def __init__(self, sock, decoder):
        self.heard = asyncio.Queue()
        self.closed = asyncio.get_running_loop().create_future()
        self.channel = Channel(sock, decoder, lambda *received: self.heard.put_nowait(received), self.closed.set_result)


def pair():
    """Give the agent's end and the proxy's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return End(ours, FROM_PROXY), End(theirs, FROM_AGENT)


def open_descriptors():
    """Count this process's descriptors."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@in_loop
async def test_messages_arrive_in_their_order():
    """Every message arrives once, in the order in which they were sent, also when there are too many at once."""
    agent, proxy = pair()
    for number in range(2000):
        agent.channel.send(Renewed(number))
    assert [(await proxy.heard.get())[0].until for _ in range(2000)] == list(range(2000))
    agent.channel.close()
    assert await proxy.closed == "the other side has gone"


@in_loop
async def test_what_has_come_is_read_in_one_turn_of_the_loop():
    """Nobody waits a turn for each answer to somebody else's question, up to a number that others can wait for."""
    agent, proxy = pair()
    for number in range(MOST_AT_ONCE + 10):
        agent.channel.send(Renewed(number))
    await proxy.heard.get()
    assert proxy.heard.qsize() == MOST_AT_ONCE - 1
    agent.channel.close()
    assert await proxy.closed == "the other side has gone"
    assert proxy.heard.qsize() == MOST_AT_ONCE + 9


@in_loop
async def test_nothing_is_read_any_more_once_whoever_hears_it_has_closed():
    """Also what has come already."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    agent, heard = End(ours, FROM_PROXY), []
    closed = asyncio.get_running_loop().create_future()

    def hear(message, _descriptors):
        heard.append(message)
        channel.close()

    channel = Channel(theirs, FROM_AGENT, hear, closed.set_result)
    for number in range(3):
        agent.channel.send(Renewed(number))
    assert await closed == "closed here"
    assert heard == [Renewed(0)]
    agent.channel.close()


@in_loop
async def test_a_socket_travels_with_its_message():
    """The peer gets a copy that works, though the sender has closed its own at once."""
    agent, proxy = pair()
    near, far = socket.socketpair()
    agent.channel.send(Dialled(1), [far])
    far.close()
    message, (descriptor,) = await proxy.heard.get()
    assert message == Dialled(1)
    with socket.socket(fileno=descriptor) as copy, near:
        copy.sendall(b"through")
        assert near.recv(10) == b"through"
    agent.channel.close()
    proxy.channel.close()


@in_loop
async def test_a_peer_that_stops_reading_is_given_up():
    """What waits for a frozen peer is bounded, and so are the descriptors that wait with it."""
    agent, proxy = pair()
    asyncio.get_running_loop().remove_reader(proxy.channel._socket)
    near, far = socket.socketpair()
    before = open_descriptors()
    agent.channel.send(Dialled(0), [far])
    for number in range(2 * MOST_WAITING):
        agent.channel.send(Renewed(number))
    assert await agent.closed == "the other side has stopped reading"
    assert not agent.channel.open
    proxy.channel.close()
    assert open_descriptors() == before - 2
    near.close()
    far.close()


@in_loop
async def test_words_of_another_kind_end_the_channel():
    """Whatever is no message of the other side's ends the channel, and the sockets with it are closed."""
    agent, proxy = pair()
    near, far = socket.socketpair()
    before = open_descriptors()
    socket.send_fds(agent.channel._socket, [b'{"is":"enrol"}'], [far.fileno()])
    assert (await proxy.closed).startswith("the other side speaks another language")
    assert open_descriptors() == before - 1
    agent.channel.close()
    near.close()
    far.close()


@in_loop
async def test_a_message_too_large_ends_the_channel():
    """A message is never taken in part."""
    agent, proxy = pair()
    agent.channel._socket.send(encode(Renewed(1)) + b" " * 140_000)
    assert await proxy.closed == "a message was too large"
    agent.channel.close()


@in_loop
async def test_the_agent_listens_where_an_earlier_one_did(tmp_path):
    """A socket file left behind is replaced, and who connects can be told from anybody else."""
    path = tmp_path / "agent.sock"
    listen(path).close()
    with listen(path) as listening:
        assert path.stat().st_mode & 0o777 == 0o660
        connecting = connect(path)
        accepted, _ = listening.accept()
        assert peer_user(accepted) == os.getuid()
        proxy, agent = End(connecting, FROM_AGENT), End(accepted, FROM_PROXY)
        proxy.channel.send(Hello(3))
        proxy.channel.send(Beat(0.0))
        assert (await agent.heard.get(), await agent.heard.get()) == ((Hello(3), []), (Beat(0.0), []))
        proxy.channel.close()
        agent.channel.close()
