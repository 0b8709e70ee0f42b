"""Proxies on the way to a server, as companies have them: HTTP CONNECT, also inside TLS, SOCKS 5; with passwords."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LOGIN = ("ann", "hunter2")

type Handshake = Callable[[socket.socket, bool], tuple[str, int]]


@dataclass
class Proxy:
    """A running proxy."""

    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Where it connected to."""


@contextmanager
def proxy(
    scheme: str, *, host: str = "127.0.0.1", login: bool = False, context: ssl.SSLContext | None = None, to: str = ""
) -> Iterator[Proxy]:
    """Run a proxy for http (https with a `context`) or socks5 URLs.

    It asks for LOGIN if `login`, and connects to the host `to` in place of the one it was asked for.
    """
    handshake: Handshake = _socks5 if scheme == "socks5" else _connect
    running, ends, threads = Proxy(), _Ends(), []

    def serve(accepted: socket.socket) -> None:
        # Ends in an error when one of the three has gone, or the proxy is told to end.
        with (
            suppress(OSError, EOFError),
            ends.hold(accepted),
            ends.hold(context.wrap_socket(accepted, server_side=True) if context else accepted) as client,
        ):
            target = handshake(client, login)
            running.asked.append(target)
            with ends.hold(socket.create_connection((to or target[0], target[1]))) as server:
                other = threading.Thread(target=_copy, args=(server, client))
                other.start()
                _copy(client, server)
                other.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=serve, args=(listening.accept()[0],))
                threads.append(thread)
                thread.start()

    with socket.create_server((host, 0)) as listening:
        running.port = listening.getsockname()[1]
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield running
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            ends.cut()
            for thread in threads:
                thread.join()


class _Ends:
    """The sockets that are open, so that all can be cut at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._cut = False

    @contextmanager
    def hold(self, end: socket.socket) -> Iterator[socket.socket]:
        with self._lock:
            self._open.add(end)
            if self._cut:
                _shut(end)
        try:
            yield end
        finally:
            with self._lock:
                self._open.discard(end)
                end.close()

    def cut(self) -> None:
        with self._lock:
            self._cut = True
            for end in self._open:
                _shut(end)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(end, socket.SHUT_RDWR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass everything on until one of the two has ended, then end both."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = client.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _connect(client: socket.socket, login: bool) -> tuple[str, int]:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _read(client, 1)
    wanted = base64.b64encode(":".join(LOGIN).encode()).decode()
    if login and f"Proxy-Authorization: Basic {wanted}" not in head.decode():
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        raise ConnectionRefusedError
    host, _, port = head.decode().split(" ")[1].rpartition(":")
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return host, int(port)


def _socks5(client: socket.socket, login: bool) -> tuple[str, int]:
    offered = _read(client, _read(client, 2)[1])
    method = 2 if login else 0
    if method not in offered:
        client.sendall(b"\x05\xff")
        raise ConnectionRefusedError
    client.sendall(bytes([5, method]))
    if login and _told_login(client) != LOGIN:
        raise ConnectionRefusedError
    kind = _read(client, 4)[3]
    host = _read(client, _read(client, 1)[0]).decode() if kind == 3 else ".".join(map(str, _read(client, 4)))
    port = int.from_bytes(_read(client, 2))
    client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return host, port


def _told_login(client: socket.socket) -> tuple[str, str]:
    """RFC 1929."""
    _read(client, 1)
    name = _read(client, _read(client, 1)[0]).decode()
    password = _read(client, _read(client, 1)[0]).decode()
    client.sendall(b"\x01\x00")
    return name, password
