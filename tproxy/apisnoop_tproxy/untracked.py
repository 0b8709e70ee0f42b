"""The table that leaves a pod's other traffic out of connection tracking, as nftables(8) text and as leases.

Pure, as `rules`. To redirect some connections, the kernel tracks all of a namespace, which takes 4 to 5 % of the rate
at which others are opened. Where nobody but us has rules, nobody needs that, and everything is as it would be without
us: tracked are only connections to the API, and within the pod. A mesh or a firewall needs it; so this, too, is a lease
that runs out by itself, and that whoever renews it does not renew where there are others' rules (`others`).

Packets of a redirected connection that are not tracked are not translated, which breaks it. So while the table acts,
the API's addresses are only added to, and they are asked for before the lease. Every packet comes by, twice: what is to
no port of the API's meets as little as possible.
"""

import struct
from collections.abc import Iterable

from apisnoop.node.messages import Address
from apisnoop_tproxy.nf_tables import encode_addition, encode_address, encode_emptying, encode_key
from apisnoop_tproxy.rules import FAMILIES, UNTRACKED, render_removal, split_families

_RAW_PRIORITY = -300
"""NF_IP_PRI_RAW: before connection tracking."""
_ALONE = "alone"
"""Interfaces by index: the pod's, but for its loopback, where redirected connections go."""
_WAYS = (("sent", "output", "oif", "daddr", "dport"), ("received", "prerouting", "iif", "saddr", "sport"))


def render_untracked(destinations: Iterable[Address], lease: float) -> str:
    """Render the transaction that puts the table in place; it does nothing before it has its lease (seconds)."""
    by_family = split_families(destinations)
    lines = [
        render_removal([UNTRACKED]),
        f"table inet {UNTRACKED} {{",
        f'\tcomment "apisnoop: what is no API call is not tracked; remove: nft delete table inet {UNTRACKED}"',
        f"\tset {_ALONE} {{ type iface_index; flags timeout; timeout {round(lease * 1000)}ms; }}",
    ]
    for family, (version, _, kind) in FAMILIES.items():
        known = ", ".join(f"{host} . {port}" for host, port in by_family.get(family, []))
        elements = f" elements = {{ {known} }};" if known else ""
        lines.append(f"\tset api_{version} {{ type {kind} . inet_service;{elements} }}")
    ports = sorted({port for found in by_family.values() for _, port in found})
    for name, hook, interface, host, port in _WAYS:
        spare = f"\t\tmeta {interface} @{_ALONE} notrack"
        lines += [
            f"\tchain {name}_api {{",
            *(f"\t\t{ip} {host} . tcp {port} @api_{version} accept" for version, ip, _ in FAMILIES.values()),
            spare,
            "\t}",
            f"\tchain {name} {{",
            f"\t\ttype filter hook {hook} priority {_RAW_PRIORITY}; policy accept;",
            *(f"\t\tth {port} {number} goto {name}_api" for number in ports),
            spare,
            "\t}",
        ]
    return "\n".join([*lines, "}", ""])


def encode_untracked(destinations: Iterable[Address], interfaces: Iterable[int]) -> list[bytes]:
    """Render, as netlink messages, the changes that add these to what is tracked, and renew the lease.

    Of these interfaces, by index; without any the lease ends. The destinations' ports have to be among those of the
    table.
    """
    changes = [
        encode_addition(UNTRACKED, f"api_{FAMILIES[family][0]}", map(encode_address, found))
        for family, found in split_families(destinations).items()
    ]
    changes.append(encode_emptying(UNTRACKED, _ALONE))
    if alone := [encode_key(struct.pack("=I", one)) for one in interfaces]:
        changes.append(encode_addition(UNTRACKED, _ALONE, alone))
    return changes
