"""The addresses of a network namespace: what tells a pod's own from one that its process only passes through."""

import socket
import struct

from apisnoop_tproxy.netlink import NLM_F_DUMP, Netlink, encode_message, parse_attributes

_RTM_GETADDR = 22
_IFADDRMSG = struct.Struct("=BBBBI")
_IFA_ADDRESS, _IFA_LOCAL = 1, 2


def local_addresses() -> frozenset[str]:
    """Return all addresses of the calling thread's network namespace as text (rtnetlink(7)); loopback is among them."""
    netlink = Netlink(socket.NETLINK_ROUTE)
    try:
        answers = netlink.ask(encode_message(_RTM_GETADDR, NLM_F_DUMP, _IFADDRMSG.pack(0, 0, 0, 0, 0)))
    finally:
        netlink.close()
    found = set()
    for answer in answers:
        family = answer.payload[0]
        attributes = parse_attributes(answer.payload[_IFADDRMSG.size :])
        packed = attributes.get(_IFA_LOCAL) or attributes.get(
            _IFA_ADDRESS
        )  # IFA_ADDRESS is the peer's, if there is one
        if packed and family in {socket.AF_INET, socket.AF_INET6}:
            found.add(socket.inet_ntop(family, packed))
    return frozenset(found)
