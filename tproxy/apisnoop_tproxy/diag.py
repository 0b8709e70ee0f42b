"""TCP sockets of a pod's network namespace through sock_diag(7): whose they are, how many, and their end.

The kernel keeps with each socket the control group that opened it; that names the container, also behind an address
translation and whatever the process does later.
"""

import errno
import socket
import struct
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import suppress

import msgspec

from apisnoop.node.messages import Address
from apisnoop_tproxy.netlink import NLM_F_ACK, NLM_F_DUMP, Answer, Netlink, encode_message, parse_attributes

NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_SOCK_DESTROY = 21
_INET_DIAG_MARK = 15
_INET_DIAG_CGROUP_ID = 21
_TCP_ESTABLISHED, _TCP_LISTEN, _TCP_TIME_WAIT, _TCP_CLOSE = 1, 10, 6, 7
_ALIVE = 0xFFF & ~(1 << _TCP_LISTEN) & ~(1 << _TCP_TIME_WAIT) & ~(1 << _TCP_CLOSE)
_REQUEST = struct.Struct("=BBBxI")
_ID = struct.Struct("!HH16s16s")
_ID_SIZE = 48
"""struct inet_diag_sockid: ports, addresses, interface, and the cookie that makes it unmistakable."""
_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_ANY = bytes(16)


class Sock(msgspec.Struct, frozen=True):
    """One TCP socket."""

    family: int
    identity: bytes
    """The kernel's own, to name it again."""
    inode: int
    """0 while the connection waits to be accepted."""
    cgroup: int
    """ID of the control group that opened it; 0 if the kernel does not tell."""
    mark: int = 0

    @property
    def local(self) -> Address:
        """The near end, IPv4 also where the socket is one of IPv6 for both."""
        port, _, packed, _ = _ID.unpack_from(self.identity)
        return self._address(packed, port)

    @property
    def remote(self) -> Address:
        """The other end, likewise."""
        _, port, _, packed = _ID.unpack_from(self.identity)
        return self._address(packed, port)

    def _address(self, packed: bytes, port: int) -> Address:
        if self.family == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, packed[:4]), port
        if packed.startswith(b"\0" * 10 + b"\xff\xff"):
            return socket.inet_ntop(socket.AF_INET, packed[12:]), port
        return socket.inet_ntop(socket.AF_INET6, packed), port


class SocketDiagnosis:
    """Questions about one network namespace: that of the thread that opened it."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_SOCK_DIAG)
        self._lock = threading.Lock()  # lists take milliseconds, so that they are made in threads where they are many

    def close(self) -> None:
        """Let go of the namespace."""
        self._netlink.close()

    def find(self, source: Address, destination: Address) -> Sock | None:
        """Find the socket that was connected from `source` to `destination`, which may be translated on the way."""
        family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
        identity = _ID.pack(source[1], destination[1], _packed(family, source[0]), _packed(family, destination[0]))
        request = _request(family, 0xFFFFFFFF) + identity + _NO_COOKIE
        try:
            answers = self._ask(encode_message(_SOCK_DIAG_BY_FAMILY, NLM_F_ACK, request))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return next(iter(_read(answers)), None)

    def connections(self) -> list[Sock]:
        """List all. The kernel walks through the whole node's table for each list: ask once and choose from it."""
        return list(self._dump())

    def on_port(self, port: int) -> list[Sock]:
        """List connections whose near end is `port`, those that nobody has accepted yet among them."""
        return list(self._dump(local=port))

    def towards(self, destinations: Collection[Address]) -> list[Sock]:
        """List connections opened to any of these."""
        wanted = set(destinations)
        ports = {port for _, port in wanted}
        return [sock for port in sorted(ports) for sock in self._dump(remote=port) if sock.remote in wanted]

    def listening(self) -> set[int]:
        """Return the ports on which anybody listens."""
        return {sock.local[1] for sock in self._dump(states=1 << _TCP_LISTEN)}

    def destroy(self, sock: Sock) -> None:
        """Break a connection: both its ends see a reset. One that has gone meanwhile is fine.

        Raises OSError: EOPNOTSUPP where the kernel has no CONFIG_INET_DIAG_DESTROY.
        """
        request = _request(sock.family, 0xFFFFFFFF) + sock.identity
        with suppress(FileNotFoundError):
            self._ask(encode_message(_SOCK_DESTROY, NLM_F_ACK, request))

    def _dump(self, local: int = 0, remote: int = 0, states: int = _ALIVE) -> Iterator[Sock]:
        identity = _ID.pack(local, remote, _ANY, _ANY) + bytes(12)
        for family in (socket.AF_INET, socket.AF_INET6):
            message = encode_message(_SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, _request(family, states) + identity)
            yield from _read(self._ask(message))

    def _ask(self, message: bytes) -> list[Answer]:
        with self._lock:
            return self._netlink.ask(message)


def _request(family: int, states: int) -> bytes:
    return _REQUEST.pack(family, socket.IPPROTO_TCP, 0, states)


def _read(answers: list[Answer]) -> Iterator[Sock]:
    """Read struct inet_diag_msg and its attributes."""
    for answer in answers:
        if answer.kind != _SOCK_DIAG_BY_FAMILY:
            continue
        identity = answer.payload[4 : 4 + _ID_SIZE]
        (inode,) = struct.unpack_from("=I", answer.payload, 4 + _ID_SIZE + 16)
        attributes = parse_attributes(answer.payload[4 + _ID_SIZE + 20 :])
        group = int.from_bytes(attributes.get(_INET_DIAG_CGROUP_ID, b""), sys.byteorder)
        mark = int.from_bytes(attributes.get(_INET_DIAG_MARK, b""), sys.byteorder)
        yield Sock(answer.payload[0], identity, inode, group, mark)


def _packed(family: socket.AddressFamily, host: str) -> bytes:
    return socket.inet_pton(family, host).ljust(16, b"\0")
