"""What connection tracking (nf_conntrack) keeps of API connections that have ended, and making it forget that.

The kernel decides where a connection goes by its first packet, and does to all later ones what it did to that. The next
from the same port it takes for one that it does not know to have ended: if that went past the rule, this one goes past
it, too; if it was led, this one is led to a listener that may be closed by now. Forgotten, the next is decided anew.
For ten seconds it so keeps

- a connection that the server's side has reset without a FIN, in state CLOSE;
- one that either side has reset before the other had acknowledged all, in the state that it had: the reset may be
  forged. Only that its socket is gone tells that it was not.

A listing walks through the whole node's table, ten milliseconds where it has 262,144 buckets: not to be made often.
"""

import ipaddress
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice

import msgspec

from apisnoop.node.messages import Address
from apisnoop_tproxy.addresses import local_addresses
from apisnoop_tproxy.diag import SocketDiagnosis
from apisnoop_tproxy.netlink import (
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_DUMP,
    Answer,
    Netlink,
    encode_attribute,
    encode_message,
    parse_attributes,
)
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER

MOST = 32_768
"""Connections that a pod may have for its table to be listed: a fifth of a second. It may have more on purpose."""
MOST_FORGOTTEN = 4_096
"""Of them, at a time: some tens of microseconds each."""
MOST_OPEN = 1_024
"""Of them, those to the API that may be open, for their sockets to be looked for: some tens of milliseconds."""
LARGEST = 16 << 20
"""Bytes of a list: twice what so many take."""
SYN_SENT, CLOSE = 1, 8
"""Of enum tcp_conntrack (linux/netfilter/nf_conntrack_tcp.h): not answered; reset."""
OPEN = range(2, 7)
"""SYN_RECV to LAST_ACK: there is more to come. Not TIME_WAIT, from which the next connection is a new one anyway."""

_CTNETLINK = 1 << 8
_GET, _DELETE, _STATISTICS = _CTNETLINK | 1, _CTNETLINK | 2, _CTNETLINK | 5
_ORIGINAL, _REPLY, _PROTOCOL_STATE, _ID, _ZONE, _FILTER = 1, 2, 4, 12, 18, 25
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_HOSTS = {socket.AF_INET: (1, 2), socket.AF_INET6: (3, 4)}
"""Attributes of the two addresses by family: source, destination."""
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_TCP_STATE = 1
_OF_TCP = struct.pack("=H", 1 | NLA_F_NESTED)
"""The end of the header before the state: without it, that of LAST_ACK is the number of TCP, which all entries hold."""
_FILTER_ORIGINAL = 1
_FILTER_PROTOCOL = struct.pack("=I", 1 << 3)
_ENTRIES = 1
_TCP = bytes([socket.IPPROTO_TCP])


class Flow(msgspec.Struct, frozen=True):
    """One TCP connection, as tracking has it."""

    family: int
    source: Address
    """Its client's end."""
    destination: Address
    """Where its client wanted it to go."""
    answerer: Address
    """Where it goes: what answers, before that is translated back."""
    state: int
    original: bytes
    """The kernel's own tuple, to name it again; never empty, for to delete without one is to delete all."""
    identity: bytes
    zone: bytes
    """Empty: the one of those that nobody has put into another."""


def forget_ended(destinations: Collection[Address], ports: Collection[int]) -> int:
    """Forget connections to these that have ended, in the calling thread's network namespace; return how many.

    Also those led to one of our `ports` that are not answered, if nobody listens there any more. Does nothing where
    there are more than MOST, and forgets no more than MOST_FORGOTTEN at a time.

    Raises OSError: EINVAL where the kernel has no ctnetlink, ENOENT where it cannot tell sockets (tcp_diag).
    """
    with closing(Netlink(NETLINK_NETFILTER)) as netlink, closing(SocketDiagnosis()) as diagnosis:
        if not 0 < count_tracked(netlink) <= MOST:
            return 0
        found = list(_list(netlink, set(destinations)))
        if not found:
            return 0
        sockets = _Sockets(diagnosis, destinations)
        is_past = partial(_is_past, sockets=sockets, deserted=_deserted(found, ports, diagnosis))
        past = islice(filter(is_past, found), MOST_FORGOTTEN)
        return sum(_forget(netlink, flow, is_past) for flow in past)


def count_tracked(netlink: Netlink) -> int:
    """Count the connections of all kinds that a namespace has: that needs no walk. Raises OSError."""
    answers = netlink.ask(encode_message(_STATISTICS, NLM_F_ACK, _header(0)))
    return sum(int.from_bytes(parse_attributes(one.payload[4:]).get(_ENTRIES, b""), "big") for one in answers)


def encode_list(family: socket.AddressFamily) -> bytes:
    """Render the question for all TCP connections; kernels before 5.8 give the others, too."""
    protocol = encode_attribute(_TUPLE_PROTOCOL | NLA_F_NESTED, encode_attribute(_NUMBER, _TCP))
    filtered = encode_attribute(_FILTER_ORIGINAL, _FILTER_PROTOCOL)
    asked = encode_attribute(_ORIGINAL | NLA_F_NESTED, protocol) + encode_attribute(_FILTER | NLA_F_NESTED, filtered)
    return encode_message(_GET, NLM_F_DUMP, _header(family) + asked)


def encode_look(flow: Flow) -> bytes:
    """Render the question for one connection."""
    return encode_message(_GET, NLM_F_ACK, _named(flow))


def encode_removal(flow: Flow) -> bytes:
    """Render the order to forget one entry, whatever connection it is taken for by then."""
    return encode_message(_DELETE, NLM_F_ACK, _named(flow) + encode_attribute(_ID, flow.identity))


def parse_flow(payload: bytes) -> Flow | None:
    """Read one entry; None if it is not one of TCP, or lacks what would name it again."""
    attributes = parse_attributes(payload[4:])
    original, reply = attributes.get(_ORIGINAL, b""), attributes.get(_REPLY, b"")
    family = payload[0] if payload else 0
    if family not in _HOSTS or _ID not in attributes:
        return None
    source, destination = _address(family, original, source=True), _address(family, original, source=False)
    answerer = _address(family, reply, source=True)
    told = parse_attributes(parse_attributes(attributes.get(_PROTOCOL_STATE, b"")).get(_TCP_STATE, b""))
    state = told.get(_TCP_STATE, b"")
    if source is None or destination is None or answerer is None or not state:
        return None
    return Flow(family, source, destination, answerer, state[0], original, attributes[_ID], attributes.get(_ZONE, b""))


def _list(netlink: Netlink, destinations: Collection[Address]) -> Iterator[Flow]:
    ends = [_encode_end(address) for address in destinations]
    for family in sorted({_family(host) for host, _ in destinations}):
        answers = netlink.ask(encode_list(family), largest=LARGEST)
        there = [one for one in answers if any(host in one.payload and port in one.payload for host, port in ends)]
        may_be_open = list(_in_state(OPEN, there))
        likely = [*_in_state((SYN_SENT, CLOSE), there), *(may_be_open if len(may_be_open) <= MOST_OPEN else ())]
        yield from (flow for flow in _read(likely) if flow.destination in destinations)


def _encode_end(destination: Address) -> tuple[bytes, bytes]:
    """Render what an entry of a connection to this contains: to read each of ten thousand takes a tenth of a second."""
    host, port = destination
    packed = ipaddress.ip_address(host).packed
    return encode_attribute(_HOSTS[_family(host)][1], packed), encode_attribute(_DESTINATION_PORT, port.to_bytes(2))


def _in_state(states: Iterable[int], answers: Iterable[Answer]) -> Iterator[Answer]:
    """Give those that are in one of these; most that have ended are in another, TIME_WAIT."""
    hints = [_OF_TCP + encode_attribute(_TCP_STATE, bytes([state])) for state in states]
    return (answer for answer in answers if any(hint in answer.payload for hint in hints))


def _read(answers: Iterable[Answer]) -> Iterator[Flow]:
    return (flow for answer in answers if (flow := parse_flow(answer.payload)) is not None)


class _Sockets:
    """Those of a namespace, as of after the list of what is tracked: what is not among them has ended."""

    def __init__(self, diagnosis: SocketDiagnosis, destinations: Collection[Address]) -> None:
        """Raises OSError. Without a list nothing is believed: one socket that is not found may be bound to a device."""
        self._diagnosis = diagnosis
        self._addresses = local_addresses()
        self._alive = {(sock.local, sock.remote) for sock in diagnosis.towards(destinations)}

    def lack(self, flow: Flow) -> bool:
        """Tell whether a connection has lost its own, if it was to be here.

        One that is only passed on, for a container in the container, has it elsewhere. In TIME_WAIT it is not listed.
        """
        if flow.source[0] not in self._addresses or (flow.source, flow.destination) in self._alive:
            return False
        return self._diagnosis.find(flow.source, flow.destination) is None


def _is_past(flow: Flow, sockets: _Sockets, deserted: Collection[int]) -> bool:
    """Tell whether a connection has ended, or cannot begin, being led to a port on which nobody listens."""
    if flow.state == SYN_SENT:
        return flow.answerer[1] in deserted and _is_loopback(flow.answerer)
    return flow.state == CLOSE or (flow.state in OPEN and sockets.lack(flow))


def _deserted(flows: Collection[Flow], ports: Collection[int], diagnosis: SocketDiagnosis) -> set[int]:
    """Return which of our ports are waited for in vain."""
    awaited = {flow.answerer[1] for flow in flows if flow.state == SYN_SENT} & set(ports)
    return awaited - diagnosis.listening() if awaited else set()


def _forget(netlink: Netlink, flow: Flow, is_past: Callable[[Flow], bool]) -> bool:
    """Forget one if it is still what it was: the port may have been used again since the list was made."""
    try:
        now = next(_read(netlink.ask(encode_look(flow))), None)
        if now is None or now.identity != flow.identity or not is_past(now):
            return False
        netlink.ask(encode_removal(now))
    except FileNotFoundError:  # gone by itself
        return False
    return True


def _named(flow: Flow) -> bytes:
    zone = encode_attribute(_ZONE, flow.zone) if flow.zone else b""
    return _header(flow.family) + encode_attribute(_ORIGINAL | NLA_F_NESTED, flow.original) + zone


def _address(family: int, data: bytes, *, source: bool) -> Address | None:
    """Read one end of a tuple; None if it is not one of TCP."""
    tuple_ = parse_attributes(data)
    hosts, protocol = (parse_attributes(tuple_.get(kind, b"")) for kind in (_TUPLE_IP, _TUPLE_PROTOCOL))
    host = hosts.get(_HOSTS[socket.AddressFamily(family)][0 if source else 1])
    port = protocol.get(_SOURCE_PORT if source else _DESTINATION_PORT)
    if host is None or port is None or protocol.get(_NUMBER) != _TCP:
        return None
    return str(ipaddress.ip_address(host)), int.from_bytes(port, "big")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address[0]).is_loopback


def _header(family: int) -> bytes:
    return struct.pack("!BBH", family, 0, 0)
