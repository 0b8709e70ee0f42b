"""Sockets of a network namespace."""

import os
import socket
from pathlib import Path

import pytest

from apisnoop_tproxy.addresses import local_addresses
from apisnoop_tproxy.diag import SocketDiagnosis
from tests.tproxy.podlike import API, API6, POD_ADDRESS


@pytest.fixture
def diagnosis(podlike):
    """Open a diagnosis inside."""
    found = podlike.run(SocketDiagnosis)
    yield found
    found.close()


@pytest.mark.parametrize(("address", "source"), [(API, POD_ADDRESS), (API6, "")])
def test_a_connection_is_found_by_its_ends(podlike, diagnosis, address, source):
    """The socket's inode is that of the descriptor, and its control group is known where the kernel keeps it."""
    with podlike.server(address):
        client = podlike.connect(address, source)
        found = diagnosis.find(client.getsockname()[:2], address)
        assert found is not None
        assert found.inode == os.fstat(client.fileno()).st_ino
        assert found.cgroup > 0
        assert found.remote == address
        assert diagnosis.find(("10.1.1.1", 5), API) is None


def test_a_connection_of_a_socket_for_both_families_is_found(podlike, diagnosis):
    """Programs that speak IPv4 through IPv6 sockets are found as well, and listed by their IPv4 address."""
    with podlike.server():
        client = podlike.run(lambda: socket.socket(socket.AF_INET6))
        with client:
            client.settimeout(5)
            client.connect(("::ffff:10.96.0.1", 443))
            port = client.getsockname()[1]
            found = diagnosis.find((API[0], port), API)
            assert found is not None
            assert found.inode == os.fstat(client.fileno()).st_ino
            assert [one.inode for one in diagnosis.towards([API])] == [found.inode]


def test_open_connections_are_counted(podlike, diagnosis):
    """Those to the API are listed, listening sockets and other destinations are not."""
    with podlike.server(), podlike.server(("10.96.0.1", 80)):
        first, second = podlike.connect(), podlike.connect()
        podlike.connect(("10.96.0.1", 80))
        inodes = {os.fstat(one.fileno()).st_ino for one in (first, second)}
        assert {one.inode for one in diagnosis.towards([API])} == inodes
        assert len(diagnosis.on_port(443)) == 2


def test_a_destroyed_connection_is_reset(podlike, diagnosis):
    """Both ends see the end at once, also if nobody had accepted the connection yet; doing it twice is fine."""
    with podlike.server():
        client = podlike.connect()
        (waiting,) = diagnosis.on_port(443)
        assert waiting.inode == 0
        diagnosis.destroy(waiting)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        diagnosis.destroy(waiting)
        assert diagnosis.on_port(443) == []


def test_the_namespace_has_its_own_addresses(podlike):
    """The addresses are those of the namespace and not of the machine."""
    assert podlike.run(local_addresses) == {"127.0.0.1", "::1", "10.96.0.1", POD_ADDRESS, "fd00::1"}


def test_a_diagnosis_lets_go_of_its_namespace(podlike):
    """Nothing that was opened stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    podlike.run(SocketDiagnosis).close()
    podlike.run(local_addresses)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
