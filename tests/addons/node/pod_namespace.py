"""A network namespace that stands for a pod, with an API server in it and a redirect such as the agent makes."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

API = ("10.96.0.1", 443)
ELSEWHERE = ("10.96.0.9", 443)
MARK = 0x61
RULES = """
table inet test {{
    set api {{
        type ipv4_addr
        elements = {{ {addresses} }}
    }}
    chain output {{
        type nat hook output priority -110
        meta mark {mark} return
        ip daddr @api tcp dport 443 redirect to :{port}
    }}
}}
"""


class PodNamespace:
    """The namespace. Sockets made in it are the caller's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def run[Result](self, work: Callable[[], Result]) -> Result:
        """Do something inside, on a thread of its own, for a namespace is a thread's."""
        results: list[Result] = []

        def inside() -> None:
            os.setns(self._descriptor, os.CLONE_NEWNET)
            results.append(work())

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        return results[0]

    def listen(self, address: tuple[str, int]) -> socket.socket:
        """Listen inside."""
        return self.run(lambda: socket.create_server(address))

    def socket(self, mark: int = 0) -> socket.socket:
        """Make a socket inside that does not block, marked like the agent's own."""
        sock = self.run(socket.socket)
        sock.setblocking(False)
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        return sock

    def redirect(self, port: int) -> None:
        """Lead connections to the API, and to an address that is none, to a port of loopback."""
        rules = RULES.format(mark=MARK, addresses=f"{API[0]}, {ELSEWHERE[0]}", port=port)
        subprocess.run(["ip", "netns", "exec", self._name, "nft", "-f", "-"], input=rules, text=True, check=True)

    def lead_nowhere(self) -> None:
        """Leave new connections alone, as the agent does when it lets a pod go."""
        subprocess.run(["ip", "netns", "exec", self._name, "nft", "flush set inet test api"], check=True)

    def close(self) -> None:
        """Let it go."""
        os.close(self._descriptor)


@contextmanager
def pod_namespace() -> Iterator[PodNamespace]:
    """Make a namespace and remove it again; where there can be none the test is skipped (scripts/test installs nft)."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("network namespaces need root, and redirects in them nft")
    name = f"apisnoop-pod-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in ("link set lo up", f"addr add {API[0]}/32 dev lo", f"addr add {ELSEWHERE[0]}/32 dev lo"):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        namespace = PodNamespace(name)
        try:
            yield namespace
        finally:
            namespace.close()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
