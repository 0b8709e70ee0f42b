"""Open TCP connections to API servers, and make a dead peer noticeable.

HTTP/2 pings would be answered by this proxy even when nobody is left behind it, so the kernel has to find out: probes
on an idle connection, and a limit on how long sent data may stay without acknowledgement.
"""

import asyncio
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apisnoop_addons.engine.listener import Client

CONNECT_TIMEOUT = 30.0
"""Seconds; client-go's dialer allows as much."""

IDLE_BEFORE_PROBE = 15
PROBE_INTERVAL = 5
PROBES = 3
UNACKNOWLEDGED_LIMIT_MS = 30_000
"""client-go gives a silent connection 30 s until its ping and 15 s for the answer; we must not be later than that."""


async def connect_directly(_client: "Client", host: str, port: int) -> socket.socket:
    """Connect to host and port from this process's own network namespace; every address is tried. Raise OSError."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    errors: list[OSError] = []
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            errors.append(error)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise errors[0] if errors else OSError(f"{host} has no address")


def watch_over_client(sock: socket.socket) -> None:
    """Have the kernel close the connection of a client that is gone (tcp(7): SO_KEEPALIVE).

    No limit on unacknowledged data: it would also count against a client that is there and just does not read on, like
    `kubectl logs -f | less`.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_BEFORE_PROBE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def watch_over_server(sock: socket.socket) -> None:
    """The same for a server, and also while data is on its way to it (tcp(7): TCP_USER_TIMEOUT)."""
    watch_over_client(sock)
    limit_unacknowledged(sock, UNACKNOWLEDGED_LIMIT_MS)


def limit_unacknowledged(sock: socket.socket, milliseconds: int) -> None:
    """Set how long sent data may stay unacknowledged, or the peer's window shut; 0: for ever."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
