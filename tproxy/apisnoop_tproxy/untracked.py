"""The table that leaves a pod's other traffic out of connection tracking, as nftables(8) text and as leases.

Pure, as `rules`. To redirect some connections, the kernel tracks all of a namespace, which takes 4 to 5 % of the rate
at which others are opened. Where nobody but us has rules, nobody needs that, and everything is as it would be without
us: tracked are only connections to the API, and within the pod. A mesh or a firewall needs it; so this, too, is a lease
that runs out by itself, and that whoever renews it does not renew where there are others' rules (`nft.has_others`).

Packets of a redirected connection that are not tracked are not translated, which breaks it. So the API's addresses are
only ever added to here, and asked for before the lease.
"""

import socket
from collections.abc import Iterable

from apisnoop.node.messages import Address
from apisnoop_tproxy.rules import (
    FAMILIES,
    UNTRACKED,
    encode_addition,
    encode_address,
    encode_batch,
    encode_emptying,
    encode_key,
    split_families,
)

_RAW_PRIORITY = -300
"""NF_IP_PRI_RAW: before connection tracking."""
_ALONE = "alone"
_PROTOCOLS = (2, 10)
"""NFPROTO_IPV4 and NFPROTO_IPV6."""


def render_untracked(destinations: Iterable[Address], lease: float) -> str:
    """Render the transaction that puts the table in place; it does nothing before it has its lease (seconds)."""
    by_family = split_families(destinations)
    lines = [
        f"add table inet {UNTRACKED}",
        f"delete table inet {UNTRACKED}",
        f"table inet {UNTRACKED} {{",
        f'\tcomment "apisnoop: what is no API call is not tracked; remove: nft delete table inet {UNTRACKED}"',
        f"\tset {_ALONE} {{ type nf_proto; flags timeout; timeout {round(lease * 1000)}ms; }}",
    ]
    for family, (version, _, kind) in FAMILIES.items():
        known = ", ".join(f"{host} . {port}" for host, port in by_family.get(family, []))
        elements = f" elements = {{ {known} }};" if known else ""
        lines.append(f"\tset api_{version} {{ type {kind} . inet_service;{elements} }}")
    for chain, hook, interface, address, port in (
        ("sent", "output", "oif", "daddr", "dport"),
        ("received", "prerouting", "iif", "saddr", "sport"),
    ):
        lines += [
            f"\tchain {chain} {{",
            f"\t\ttype filter hook {hook} priority {_RAW_PRIORITY}; policy accept;",
            f'\t\t{interface} "lo" accept',
            *(f"\t\t{ip} {address} . tcp {port} @api_{version} accept" for version, ip, _ in FAMILIES.values()),
            f"\t\tmeta nfproto @{_ALONE} notrack",
            "\t}",
        ]
    return "\n".join([*lines, "}", ""])


def encode_untracked(destinations: Iterable[Address], *, alone: bool) -> list[bytes]:
    """Render, as netlink messages, the transaction that adds these to what is tracked, and renews or ends the lease."""
    messages = [
        encode_addition(UNTRACKED, f"api_{_version(family)}", map(encode_address, found))
        for family, found in split_families(destinations).items()
    ]
    messages.append(encode_emptying(UNTRACKED, _ALONE))
    if alone:
        messages.append(encode_addition(UNTRACKED, _ALONE, (encode_key(bytes([one])) for one in _PROTOCOLS)))
    return encode_batch(messages)


def _version(family: socket.AddressFamily) -> str:
    return FAMILIES[family][0]
