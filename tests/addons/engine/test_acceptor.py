"""Accepting on one socket when the system has nothing left to accept with, or tells of connections that went."""

import asyncio
import contextlib
import errno
import os
import socket

import pytest

from apisnoop_addons.engine import acceptor as acceptor_module
from apisnoop_addons.engine.acceptor import Acceptor
from tests.addons.engine.rig import HOST, free_socket
from tests.looped import in_loop

TURNS = 50
"""Of the loop; a socket that is still watched would be asked in each."""


class Failing:
    """A listening socket that cannot accept until it is told otherwise."""

    def __init__(self, sock, number):
        self._sock = sock
        self.number = number
        self.tries = 0

    def accept(self):
        """Fail, or accept."""
        self.tries += 1
        if self.number:
            raise OSError(self.number, os.strerror(self.number))
        return self._sock.accept()

    def __getattr__(self, name):
        return getattr(self._sock, name)


class Once(Failing):
    """A listening socket that fails the first time."""

    def accept(self):
        """Fail for good only once."""
        try:
            return super().accept()
        finally:
            self.number = 0


def greeting(connected):
    """Give what makes protocols that put their transport into a queue."""

    class Greeter(asyncio.Protocol):
        def connection_made(self, transport):
            connected.put_nowait(transport)

    return lambda _: Greeter()


async def turns():
    """Give the loop time to call whatever is ready again and again."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@pytest.fixture
def complaints():
    """What the loop was told of failed callbacks."""
    return []


@in_loop
async def test_connections_wait_while_there_are_no_descriptors(monkeypatch):
    """It neither ends nor asks again and again."""
    monkeypatch.setattr(acceptor_module, "RETRY_SECONDS", 3600)
    connected = asyncio.Queue()
    listening = Failing(free_socket(), errno.EMFILE)
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(8)
    with socket.create_connection((HOST, listening.getsockname()[1])):
        await turns()
        assert listening.tries == 1
        listening.number = 0
        accepting.stop()
        (await connected.get()).abort()


@in_loop
async def test_connections_that_have_waited_are_accepted_a_while_later(monkeypatch):
    """Descriptors may be there again by then."""
    monkeypatch.setattr(acceptor_module, "RETRY_SECONDS", 0.05)
    connected = asyncio.Queue()
    listening = Once(free_socket(), errno.EMFILE)
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(8)
    with socket.create_connection((HOST, listening.getsockname()[1])):
        (await connected.get()).abort()
    assert listening.tries >= 2
    accepting.stop()


@in_loop
async def test_nothing_is_tried_again_once_it_has_stopped(monkeypatch, complaints):
    """The socket is closed by then, and the loop would stumble over it."""
    monkeypatch.setattr(acceptor_module, "RETRY_SECONDS", 0)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    listening = Failing(free_socket(), errno.EMFILE)
    accepting = Acceptor(listening, greeting(asyncio.Queue()), lambda: None)
    accepting.start(8)
    accepting.stop()
    await turns()
    assert (listening.tries, listening.fileno(), complaints) == (1, -1, [])


@in_loop
async def test_it_stops_while_it_waits_for_descriptors(monkeypatch, complaints):
    """What it would have done then is given up."""
    monkeypatch.setattr(acceptor_module, "RETRY_SECONDS", 0.05)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    listening = Failing(free_socket(), errno.EMFILE)
    accepting = Acceptor(listening, greeting(asyncio.Queue()), lambda: None)
    accepting.start(8)
    with waiting(1, listening.getsockname()[1]):
        await turns()
        assert listening.tries == 1
        accepting.stop()
        await asyncio.sleep(0.1)
    assert (listening.tries, listening.fileno(), complaints) == (2, -1, [])


@contextlib.contextmanager
def waiting(count, port):
    """Connect so many clients, which nobody has accepted yet."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(count)]


@in_loop
async def test_what_has_waited_at_the_end_is_accepted_with_others_in_between():
    """A thousand may wait, and whoever else is served must not wait for them all."""
    connected = asyncio.Queue()
    listening = free_socket()
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(32)
    with waiting(20, listening.getsockname()[1]):
        accepting.stop()
        for _ in range(3):  # a turn for what it has to do, and one for the connection to be told of it
            await asyncio.sleep(0)
        assert 0 < connected.qsize() < 20
        assert accepting.arriving
        for _ in range(20):
            (await connected.get()).abort()
        await turns()
        assert (accepting.arriving, listening.fileno()) == (False, -1)


@in_loop
async def test_it_stops_although_more_and_more_connect():
    """Only those that may have been there when it stopped are waited for."""
    connected = asyncio.Queue()
    listening = free_socket()
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(8)
    port = listening.getsockname()[1]
    with waiting(9, port), contextlib.ExitStack() as stack:
        accepting.stop()
        for _ in range(TURNS):
            for _ in range(acceptor_module.AT_ONCE):
                more = stack.enter_context(socket.socket())
                more.setblocking(False)
                more.connect_ex((HOST, port))
            await asyncio.sleep(0)
        assert listening.fileno() == -1
        while not connected.empty():
            connected.get_nowait().abort()


@contextlib.asynccontextmanager
async def crowd(monkeypatch, seconds):
    """Have 20 connect that are too many, with a pause after the first; give the acceptor and who was accepted."""
    monkeypatch.setattr(acceptor_module, "CROWD_SECONDS", seconds)
    connected = asyncio.Queue()
    listening = free_socket()
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(32)
    accepting.crowded = True
    with waiting(20, listening.getsockname()[1]):
        await turns()
        yield accepting, connected


@in_loop
async def test_a_crowd_is_accepted_slowly(monkeypatch):
    """However fast it comes. What has waited when it stops is accepted at once."""
    async with crowd(monkeypatch, 3600) as (accepting, connected):
        assert connected.qsize() == acceptor_module.AT_ONCE
        accepting.stop()
        await turns()
        assert connected.qsize() == 20
        while not connected.empty():
            connected.get_nowait().abort()


@in_loop
async def test_a_crowd_that_is_none_any_more_is_accepted_at_once(monkeypatch):
    """After the pause that it has brought about."""
    async with crowd(monkeypatch, 0.05) as (accepting, connected):
        accepting.crowded = False
        monkeypatch.setattr(acceptor_module, "CROWD_SECONDS", 3600)
        for _ in range(20):
            (await connected.get()).abort()
        accepting.stop()


@in_loop
async def test_the_socket_is_closed_whatever_it_says():
    """Stopping does not fail: there is more to stop than this."""
    listening = Failing(free_socket(), errno.EPERM)
    accepting = Acceptor(listening, greeting(asyncio.Queue()), lambda: None)
    accepting.start(8)
    accepting.stop()
    assert listening.fileno() == -1


@pytest.mark.parametrize(
    "name",
    [
        "ECONNABORTED",
        "ENETDOWN",
        "EPROTO",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "EOPNOTSUPP",
        "ENETUNREACH",
    ],
)
@in_loop
async def test_a_connection_that_went_does_not_stop_the_next(name):
    """Linux tells of it on accepting; it is no failure of the listening socket."""
    connected = asyncio.Queue()
    listening = Once(free_socket(), getattr(errno, name))
    accepting = Acceptor(listening, greeting(connected), lambda: None)
    accepting.start(8)
    with socket.create_connection((HOST, listening.getsockname()[1])):
        accepting.stop()
        (await connected.get()).abort()
        await turns()
    assert (listening.tries, listening.fileno()) == (3, -1)
