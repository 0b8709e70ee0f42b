"""Whether others have rules in a pod."""

import ctypes
import socket

import pytest

from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.others import Others
from tests.looped import in_loop
from tests.tproxy.neighbour import DESTINED

IPT_SO_GET_INFO, INFO_BYTES = 64, 84
"""Of linux/netfilter_ipv4/ip_tables.h: to ask for a table makes it."""


def have_rules(podlike):
    """Tell whether others have rules in the pod."""
    others = podlike.run(Others)
    try:
        return podlike.run(others.have_rules)
    finally:
        others.close()


def ask_for_legacy_table():
    """Do what `iptables-legacy -L` does first."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        told, size = ctypes.create_string_buffer(b"filter", INFO_BYTES), ctypes.c_uint32(INFO_BYTES)
        libc = ctypes.CDLL(None, use_errno=True)
        return libc.getsockopt(sock.fileno(), socket.IPPROTO_IP, IPT_SO_GET_INFO, told, ctypes.byref(size))


@in_loop
async def test_tables_of_the_older_iptables_are_others_rules(podlike, neighbour, exempting):
    """They are none of nftables'."""
    await exempting.begin()
    assert not have_rules(podlike)
    if podlike.run(ask_for_legacy_table) != 0:
        pytest.skip("this kernel has no iptables of the older kind")
    assert have_rules(podlike)
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()


@in_loop
async def test_more_tables_than_anybody_needs_are_others_rules(podlike, neighbour, exempting):
    """They are not read to their end, nor ever again while we are there."""
    await exempting.begin()
    tables = "".join(f"table inet {'t' * 200}{number}\n" for number in range(400))
    podlike.run(lambda: apply_rules(tables))
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()
    podlike.run(lambda: apply_rules("".join(f"delete {line}\n" for line in tables.splitlines())))
    assert not have_rules(podlike)
    await exempting.again()
    assert neighbour.is_tracked()
    assert exempting.led()()
