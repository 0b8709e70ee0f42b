"""A pod that reaches something by a cable, as pods do, and what is ours in it."""

import os
import socket
import subprocess
from contextlib import contextmanager

from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.presence import Presence
from apisnoop_tproxy.rules import UNTRACKED, Redirect
from apisnoop_tproxy.succession import Succession
from tests.tproxy.test_conntrack import flows

THERE, THERE6, OTHER = "10.77.0.1", "fd77::1", "10.77.0.3"
API, API6 = (THERE, 443), (THERE6, 443)
DESTINED = [API, API6]
LEASE = 60.0


class Neighbour:
    """What a pod reaches by a cable, the API and others: all that is within the pod is tracked."""

    def __init__(self, podlike, namespace):
        self._podlike, self._namespace, self._port = podlike, namespace, 7000

    def is_tracked(self, host=THERE, port=0):
        """Open a connection, else to a port of its own, send something there and back; tell whether it is tracked."""
        self._port += 1
        address = (host, port or self._port)
        with in_namespace(self._namespace, lambda: listen(address)) as server, self._podlike.connect(address) as client:
            near = self._podlike.accept(server)
            client.sendall(b"there")
            assert near.recv(8) == b"there"
            near.sendall(b"and back")
            assert client.recv(8) == b"and back"
            return any(wanted == address for wanted, _, _ in flows(self._podlike))


def listen(address):
    """Listen."""
    return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)


@contextmanager
def beside(podlike):
    """Put a neighbour beside a pod."""
    here, there = podlike.name, f"apisnoop-near-{os.getpid()}"
    for words in (
        f"netns add {there}",
        f"-n {here} link add eth0 type veth peer name eth0 netns {there}",
        f"-n {here} addr add 10.77.0.2/24 dev eth0",
        f"-n {here} addr add fd77::2/64 dev eth0 nodad",
        f"-n {here} link set eth0 up",
        f"-n {there} addr add {THERE}/24 dev eth0",
        f"-n {there} addr add {OTHER}/24 dev eth0",
        f"-n {there} addr add {THERE6}/64 dev eth0 nodad",
        f"-n {there} link set eth0 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    podlike.await_route((THERE6, 1))
    namespace = os.open(f"/run/netns/{there}", os.O_RDONLY | os.O_CLOEXEC)
    yield Neighbour(podlike, namespace)
    os.close(namespace)
    subprocess.run(["ip", "netns", "del", there], check=True)


class Ours:
    """What is ours in the pod, and the listeners to which its API connections are led."""

    def __init__(self, podlike):
        self.podlike = podlike
        netfilter, diagnosis = podlike.netfilter(), podlike.run(SocketDiagnosis)
        namespace = os.dup(podlike.namespace)
        foothold = Foothold(namespace, os.pidfd_open(os.getpid()), None, os.getpid(), netfilter, diagnosis)
        self.presence = Presence(foothold, Succession("0b"))
        self._listeners = self.presence.open_listeners()
        ports = {family: sock.getsockname()[1] for family, sock in self._listeners.items()}
        self.redirect = Redirect("0b", ports, LEASE)

    def close(self):
        """Close it all."""
        for sock in self._listeners.values():
            sock.close()
        self.presence.close()

    async def begin(self, destinations=DESTINED):
        """Put both tables in place and renew their leases."""
        await self.presence.act(self.redirect, destinations)
        await self.again(destinations)

    async def again(self, destinations=DESTINED):
        """Look whether others have rules, and renew the leases."""
        await self.presence.exempt(destinations, self.redirect.lease)
        self.presence.renew(self.redirect, destinations)

    def led(self, address=API):
        """Open an API connection through a listener; give a function that sees whether it goes on."""
        client = self.podlike.connect(address)
        near = self.podlike.accept(self._listeners[socket.AF_INET6 if ":" in address[0] else socket.AF_INET])

        def goes_on():
            near.settimeout(5)
            client.sendall(b"led")
            assert near.recv(8) == b"led"
            near.sendall(b"answered")
            return client.recv(8) == b"answered"

        return goes_on


def is_there(podlike):
    """Tell whether the pod has the table."""
    listed = podlike.run(lambda: subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True))
    return f"table inet {UNTRACKED}" in listed.stdout.splitlines()
