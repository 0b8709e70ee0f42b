"""Where a redirected connection was going before netfilter turned it to us."""

import socket
import struct
from asyncio.trsock import TransportSocket

from apisnoop.node.messages import Address

SO_ORIGINAL_DST = 80
"""linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST has the same number."""


def original_destination(sock: socket.socket | TransportSocket) -> Address:
    """Return the address and port that the client of an accepted connection asked for.

    A connection that nobody redirected has none (ENOENT), or names our own listener. Raises OSError.
    """
    if sock.family == socket.AF_INET6:
        found = sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        port, _, packed = struct.unpack_from("!2xHI16s", found)  # struct sockaddr_in6
        return socket.inet_ntop(socket.AF_INET6, packed), port
    found = sock.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    port, packed = struct.unpack_from("!2xH4s", found)  # struct sockaddr_in
    return socket.inet_ntop(socket.AF_INET, packed), port
