"""Listeners that one address can connect to."""

import socket

import pytest

from apisnoop_tproxy.namespace import listen
from apisnoop_tproxy.source_filter import attach_filter
from tests.tproxy.cabled import NODE_ADDRESSES, OTHER_ADDRESS, POD_ADDRESSES


def filtered(anywhere, source):
    """Listen for one address."""
    sock = listen(anywhere, 0)
    attach_filter(sock, source)
    return sock


@pytest.mark.parametrize(
    ("anywhere", "address", "source"),
    [("0.0.0.0", NODE_ADDRESSES[0], POD_ADDRESSES[0]), ("::", NODE_ADDRESSES[1], POD_ADDRESSES[1])],
)
def test_the_address_it_is_for_is_let_in(cabled, anywhere, address, source):
    """And data goes both ways."""
    with cabled.node.run(lambda: filtered(anywhere, source)) as listening:
        client = cabled.pod.connect((address, listening.getsockname()[1]), source=source)
        accepted = cabled.node.accept(listening)
        client.sendall(b"there")
        assert accepted.recv(5) == b"there"
        accepted.sendall(b"back")
        assert client.recv(4) == b"back"


@pytest.mark.parametrize(
    ("anywhere", "address", "source", "other"),
    [
        ("0.0.0.0", NODE_ADDRESSES[0], POD_ADDRESSES[0], OTHER_ADDRESS),
        ("::", NODE_ADDRESSES[1], "fd00:202::9", POD_ADDRESSES[1]),
    ],
)
def test_nobody_else_gets_an_answer(cabled, anywhere, address, source, other):
    """Not even a refusal: the first packet is dropped."""

    def knock():
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
            sock.bind((other, 0))
            sock.settimeout(0.5)
            sock.connect((address, port))

    with cabled.node.run(lambda: filtered(anywhere, source)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(TimeoutError):
            cabled.pod.run(knock)
