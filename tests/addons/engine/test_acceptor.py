"""Accepting on one socket when the system has nothing left to accept with."""

import asyncio
import errno
import socket

from apisnoop_addons.engine import acceptor as acceptor_module
from apisnoop_addons.engine.acceptor import Acceptor
from tests.addons.engine.rig import HOST, free_socket
from tests.looped import in_loop


class Exhausted:
    """A listening socket for which there is no descriptor the first time."""

    def __init__(self, sock):
        self._sock = sock
        self.tries = 0

    def accept(self):
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._sock.accept()

    def __getattr__(self, name):
        return getattr(self._sock, name)


@in_loop
async def test_connections_wait_while_there_are_no_descriptors(monkeypatch):
    """It neither ends nor asks again and again; a while later they are accepted."""
    monkeypatch.setattr(acceptor_module, "RETRY_SECONDS", 0.05)
    connected = asyncio.Queue()

    class Greeter(asyncio.Protocol):
        def connection_made(self, transport):
            connected.put_nowait(transport)

    listening = Exhausted(free_socket())
    accepting = Acceptor(listening, lambda _: Greeter(), lambda: None)
    accepting.start(8)
    with socket.create_connection((HOST, listening.getsockname()[1])):
        (await connected.get()).abort()
    assert listening.tries >= 2
    accepting.stop()
