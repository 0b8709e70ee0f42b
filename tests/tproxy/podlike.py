"""A network namespace that stands for a pod's, with servers and clients in it."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from apisnoop.node.messages import Address
from apisnoop_tproxy.netfilter import Netfilter
from apisnoop_tproxy.netlink import Netlink
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER
from apisnoop_tproxy.rules import Redirect
from apisnoop_tproxy.table import Table

API = ("10.96.0.1", 443)
API6 = ("fd00::1", 443)
POD_ADDRESS = "10.201.1.7"
_PATIENCE = 30.0


class Podlike:
    """The namespace. Sockets made through it are closed with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name
        self.namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._path.exists():
            self.forget()

    def forget(self) -> None:
        """Let go of it, as a container runtime does when a pod has ended: it goes unless somebody else keeps it."""
        for sock in self._sockets:
            sock.close()
        os.close(self.namespace)
        subprocess.run(["ip", "netns", "del", self._path.name], check=True)

    def tell_tale(self) -> Callable[[], bool]:
        """Give a function that tells whether it still is: a cable into it goes with it."""
        name = f"as{os.getpid()}"
        words = ["link", "add", name, "type", "veth", "peer", "name", "tale", "netns", self._path.name]
        subprocess.run(["ip", *words], check=True)
        return lambda: name in {one for _, one in socket.if_nameindex()}

    def run[Result](self, work: Callable[[], Result]) -> Result:
        """Run something inside, in a thread that ends there: whatever it gives up, nobody misses."""
        with ThreadPoolExecutor(1) as threads:
            threads.submit(os.setns, self.namespace, os.CLONE_NEWNET).result()
            return threads.submit(work).result()

    def netfilter(self) -> Netfilter:
        """Open what the agent has there."""
        return Netfilter(self.namespace, self.run(lambda: Netlink(NETLINK_NETFILTER)))

    def put(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Put our table in place."""
        with closing(self.netfilter()) as found:
            found.put(redirect, destinations)

    def table(self) -> Table | None:
        """Look for our table."""
        with closing(self.netfilter()) as found:
            return found.find()

    def await_route(self, address: tuple[str, int]) -> None:
        """Wait until an IPv6 address can be reached from inside."""
        deadline = time.monotonic() + _PATIENCE
        while not self.run(lambda: _has_route(address)):
            assert time.monotonic() < deadline, f"there is no route to {address[0]}"
            time.sleep(0.01)

    def server(self, address: tuple[str, int] = API) -> socket.socket:
        """Listen inside."""
        return self._kept(self.run(lambda: _listen(address)))

    def connect(self, address: tuple[str, int] = API, source: str = "") -> socket.socket:
        """Connect inside."""
        return self._kept(
            self.run(
                lambda: socket.create_connection(address, timeout=5, source_address=(source, 0) if source else None)
            )
        )

    def accept(self, listening: socket.socket) -> socket.socket:
        """Accept a connection."""
        listening.settimeout(5)
        return self._kept(listening.accept()[0])

    def _kept(self, sock: socket.socket) -> socket.socket:
        self._sockets.append(sock)
        return sock


def _has_route(address: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        return sock.connect_ex(address) == 0  # sends nothing


def _listen(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    return socket.create_server(address, family=family)
