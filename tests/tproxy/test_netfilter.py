"""Rules in a real network namespace."""

import socket
import time

import pytest

from apisnoop_tproxy.namespace import open_listeners, open_upstream
from apisnoop_tproxy.nft import RuleError, apply_rules
from apisnoop_tproxy.rules import Redirect, encode_leases
from tests.tproxy.podlike import API, API6

DESTINATIONS = [API, API6]


@pytest.fixture
def listeners(podlike):
    """Open the proxy's listeners in the pod."""
    found = podlike.run(open_listeners)
    yield found
    for sock in found.values():
        sock.close()


@pytest.fixture
def redirect(listeners):
    """Give what leads to them."""
    return Redirect("0a", {family: sock.getsockname()[1] for family, sock in listeners.items()}, 5.0)


@pytest.fixture
def leases(podlike):
    """Open the leases' socket in the pod."""
    found = podlike.netfilter()
    yield found
    found.close()


def led(podlike, listener, address=API):
    """Tell whether a new connection arrives at the listener, and with which original destination."""
    with podlike.connect(address):
        try:
            listener.settimeout(0.2)
            accepted, _ = listener.accept()
        except TimeoutError:
            return None
        with accepted:
            level = socket.IPPROTO_IPV6 if accepted.family == socket.AF_INET6 else socket.SOL_IP
            found = accepted.getsockopt(level, 80, 28)
            packed = found[8:24] if accepted.family == socket.AF_INET6 else found[4:8]
            return socket.inet_ntop(accepted.family, packed), int.from_bytes(found[2:4])


def test_new_connections_are_led_to_the_listener(podlike, listeners, redirect):
    """With the table in place, IPv4 and IPv6 connections arrive at the listener and know where they were going."""
    with podlike.server(), podlike.server(API6):
        podlike.put(redirect, DESTINATIONS)
        assert led(podlike, listeners[socket.AF_INET]) == API
        assert led(podlike, listeners[socket.AF_INET6], API6) == API6


def test_only_the_api_is_redirected(podlike, listeners, redirect):
    """Another port of the same address is reached directly, and so is the API by a socket with our mark."""
    with podlike.server(("10.96.0.1", 80)), podlike.server() as api:
        podlike.put(redirect, DESTINATIONS)
        assert led(podlike, listeners[socket.AF_INET], ("10.96.0.1", 80)) is None
        with podlike.run(lambda: open_upstream(socket.AF_INET)) as marked:
            marked.setblocking(True)
            marked.connect(API)
            podlike.accept(api).sendall(b"direct")
            assert marked.recv(10) == b"direct"


def test_connections_older_than_the_rule_go_on(podlike, listeners, redirect):
    """An established connection is not touched by the table's coming."""
    with podlike.server() as api:
        client = podlike.connect()
        accepted = podlike.accept(api)
        podlike.put(redirect, DESTINATIONS)
        client.sendall(b"still here")
        assert accepted.recv(20) == b"still here"


def test_a_lease_that_is_not_renewed_fails_open(podlike, listeners, redirect):
    """After the lease, connections reach the API without us."""
    short = Redirect(redirect.generation, redirect.ports, 0.3)
    with podlike.server():
        podlike.put(short, DESTINATIONS)
        assert led(podlike, listeners[socket.AF_INET]) == API
        deadline = time.monotonic() + 3
        while led(podlike, listeners[socket.AF_INET]) is not None:
            assert time.monotonic() < deadline


def test_renewal_lets_nothing_slip_through(podlike, listeners, redirect, leases):
    """While leases are renewed over and over, every new connection is redirected."""
    podlike.put(redirect, DESTINATIONS)
    listeners[socket.AF_INET].settimeout(5)
    messages = encode_leases(redirect, DESTINATIONS)

    def hammer():
        # No server listens: a connection that slips through is refused.
        for _ in range(300):
            leases.apply(messages)
            with socket.create_connection(API, timeout=5):
                listeners[socket.AF_INET].accept()[0].close()

    podlike.run(hammer)


def test_a_renewed_lease_runs_anew(podlike, listeners, redirect, leases):
    """A renewal, also of a lease that has run out, makes the rule act again; without destinations it acts no more."""
    short = Redirect(redirect.generation, redirect.ports, 0.2)
    with podlike.server():
        podlike.put(short, [])
        assert led(podlike, listeners[socket.AF_INET]) is None
        leases.apply(encode_leases(short, DESTINATIONS))
        assert led(podlike, listeners[socket.AF_INET]) == API
        leases.apply(encode_leases(short, []))
        assert led(podlike, listeners[socket.AF_INET]) is None


def test_open_connections_outlive_flush_and_replacement(podlike, listeners, redirect, leases):
    """A redirected connection goes on when sets are emptied and when another generation's table comes."""
    podlike.put(redirect, DESTINATIONS)
    client = podlike.connect()
    accepted = podlike.accept(listeners[socket.AF_INET])
    leases.apply(encode_leases(redirect, []))
    client.sendall(b"flushed")
    assert accepted.recv(20) == b"flushed"
    podlike.put(Redirect("0b", redirect.ports, 5.0), [])
    client.sendall(b"replaced")
    assert accepted.recv(20) == b"replaced"
    with pytest.raises(RuleError, match="No such file"):
        leases.apply(encode_leases(redirect, DESTINATIONS))


def test_a_mesh_keeps_its_connections(podlike, listeners, redirect):
    """Another nat table that redirects other ports works beside ours."""
    with podlike.server(), podlike.server(("10.96.0.1", 15001)) as mesh:
        port = mesh.getsockname()[1]
        podlike.run(
            lambda: apply_rules(
                "table ip mesh { chain output { type nat hook output priority -100; "
                f"ip daddr 10.96.0.1 tcp dport 8080 redirect to :{port}; }}; }}"
            )
        )
        podlike.put(redirect, DESTINATIONS)
        assert led(podlike, listeners[socket.AF_INET]) == API
        with pytest.raises(ConnectionRefusedError):  # the mesh led it to its own loopback port
            podlike.connect(("10.96.0.1", 8080))
