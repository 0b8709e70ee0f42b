"""Asking the kernel, which answers within the call."""

import errno
import socket
import struct

import pytest

from apisnoop_tproxy.netlink import NLM_F_DUMP, Netlink, encode_message

NETLINK_ROUTE, GET_LINK = 0, 18
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, UNKNOWN_PROTOCOL = 4, 20, 199
LOOPBACK, NOBODY = 1, 2**31 - 1
"""Indexes of interfaces: the first one of every namespace, and one that there is not."""


def ask_for(interface):
    """Render the question for one interface."""
    return encode_message(GET_LINK, 0, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, interface, 0, 0))


def test_an_answer_is_none_that_was_left_over():
    """Where there was no room for all that the kernel had to tell, that is an error; the next question has its own."""
    netlink = Netlink(NETLINK_ROUTE)
    try:
        netlink._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with pytest.raises(OSError, match=r"No buffer space") as failure:
            netlink.ask(*[ask_for(LOOPBACK)] * 200)
        assert failure.value.errno == errno.ENOBUFS
        with pytest.raises(OSError, match=r"No such device"):
            netlink.ask(ask_for(NOBODY))
    finally:
        netlink.close()


def test_a_list_that_cannot_be_made_is_not_empty():
    """The kernel tells it at the list's end: sockets of a protocol of which it cannot tell any are not none."""
    netlink = Netlink(NETLINK_SOCK_DIAG)
    try:
        wanted = struct.pack("=BBBxI48x", socket.AF_INET, UNKNOWN_PROTOCOL, 0, 0xFFF)
        with pytest.raises(FileNotFoundError):
            netlink.ask(encode_message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, wanted))
    finally:
        netlink.close()
