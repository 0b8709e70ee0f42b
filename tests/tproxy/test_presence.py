"""Stopping what an earlier agent has left in a pod; breaking connections, where the kernel may refuse to."""

import errno
import os
import socket
from contextlib import closing
from types import SimpleNamespace

import pytest

from apisnoop_tproxy.nft import RuleError
from apisnoop_tproxy.presence import Presence
from apisnoop_tproxy.rules import Redirect, encode_leases
from apisnoop_tproxy.succession import Succession
from tests.looped import in_loop

API = ("10.96.0.1", 443)


class Diagnosis:
    """Stands for sock_diag: two connections through the proxy and one past it, of which some cannot be broken."""

    def __init__(self, refusals):
        self.refusals = refusals
        self.tried = []
        self.socks = [
            SimpleNamespace(local=("127.0.0.1", 15555), remote=("10.201.1.7", 40001), mark=0),
            SimpleNamespace(local=("127.0.0.1", 15555), remote=("10.201.1.7", 40002), mark=0),
            SimpleNamespace(local=("10.201.1.7", 40003), remote=API, mark=0),
        ]

    def connections(self):
        """List them."""
        return self.socks

    def destroy(self, sock):
        """Break one, or not."""
        self.tried.append(sock)
        code = self.refusals.pop(0) if self.refusals else 0
        if code:
            raise OSError(code, os.strerror(code))


def presence(diagnosis):
    """Give what is ours in a pod whose proxy listens on 15555."""
    found = Presence(SimpleNamespace(diagnosis=diagnosis), Succession("0f3a"))
    found.ports.add(15555)
    return found


def test_connections_are_broken_by_kind():
    """Those through the proxy are broken, or those past it, and nothing is left."""
    diagnosis = Diagnosis([])
    assert presence(diagnosis).break_carried() == ""
    assert diagnosis.tried == diagnosis.socks[:2]
    assert presence(diagnosis).break_direct([API]) == ""
    assert diagnosis.tried == diagnosis.socks


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOBUFS])
def test_one_that_cannot_be_broken_keeps_nobody_from_the_next(code):
    """A kernel without INET_DIAG_DESTROY, or short of memory, is no error; what is left and why is said."""
    diagnosis = Diagnosis([code])
    assert presence(diagnosis).break_carried() == f"1 of 2 cannot be broken: {os.strerror(code)}"
    assert len(diagnosis.tried) == 2


def test_connections_that_cannot_be_listed_are_left(monkeypatch):
    """A list that the kernel does not give is no error, either."""
    diagnosis = Diagnosis([])

    def refuse():
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    monkeypatch.setattr(diagnosis, "connections", refuse)
    assert presence(diagnosis).break_carried() == "they cannot be listed: No buffer space available"
    assert presence(diagnosis).break_direct([API]) == "they cannot be listed: No buffer space available"


@in_loop
async def test_an_earlier_agents_rule_stops_and_its_open_connections_go_on(podlike):
    """Nothing new is led to the earlier proxy, nor can its agent renew that; what it carries is still translated."""
    with podlike.run(lambda: socket.create_server(("127.0.0.1", 0))) as listener, podlike.server():
        redirect = Redirect("0a", {socket.AF_INET: listener.getsockname()[1]}, 60.0)
        podlike.put(redirect, [API])
        client, leases = podlike.connect(), podlike.netfilter()
        carried = podlike.accept(listener)
        carried.settimeout(5)
        with closing(podlike.netfilter()) as netfilter:
            await Presence(SimpleNamespace(netfilter=netfilter), Succession("0b")).flush()
        assert not podlike.table().live
        client.sendall(b"still here")
        assert carried.recv(20) == b"still here"
        assert podlike.connect().getpeername() == API
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(RuleError):
            leases.apply(encode_leases(redirect, [API]))
        leases.close()
