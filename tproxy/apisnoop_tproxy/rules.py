"""The rule that leads a pod's new API connections to the proxy, and its leases.

Pure: everything here is rendered, nothing is applied (`netfilter` does that). It is told to the kernel in its own words
and not as text, since many pods may be taken up at once, and libnftables takes ten times as long. Golden files show it
as text, which a test has libnftables read: to the kernel it is the same.

The rule itself never changes while a pod is recorded. What makes it act are elements of its sets, (address, port),
which the kernel forgets after some seconds: whoever dies takes no API server with him. They are renewed in one
transaction, so that no connection slips between the old and the new.
"""

import ipaddress
import re
import secrets
import socket
import sys
from collections.abc import Iterable, Mapping

import msgspec

from apisnoop.node.messages import Address
from apisnoop_tproxy.namespace import MARK
from apisnoop_tproxy.nf_tables import (
    LOCAL_OUT,
    META_L4PROTO,
    META_MARK,
    META_NFPROTO,
    NETWORK_HEADER,
    RETURN,
    TRANSPORT_HEADER,
    decide,
    encode_addition,
    encode_address,
    encode_chain,
    encode_emptying,
    encode_removal,
    encode_rule,
    encode_set,
    encode_table,
    go_on_if,
    go_on_if_in,
    keep_bits,
    load_meta,
    load_payload,
    redirect_to,
)

TABLE = "apisnoop"
UNTRACKED = "apisnoop_untracked"
"""The table of `untracked`, which goes wherever that one goes."""
OURS = (UNTRACKED, TABLE)
"""All that we ever put into a namespace, in the order of removal."""
PRIORITY = -110
"""Before a mesh's nat chains, which are at -100 (NF_IP_PRI_NAT_DST)."""
FAMILIES = {socket.AF_INET: ("v4", "ip", "ipv4_addr"), socket.AF_INET6: ("v6", "ip6", "ipv6_addr")}
"""What each is called: in names of ours, in rules, as a type."""
_COMMENT = re.compile(r"apisnoop (?P<generation>[0-9a-f]{1,15}) ports (?P<ports>[0-9]{1,5}(?: [0-9]{1,5})?):")
"""Whoever may write rules in the pod may have written it: no more of it is read than we would write."""

CHAIN = "output"
_KEYS = {socket.AF_INET: (7 << 6 | 13, 8), socket.AF_INET6: (8 << 6 | 13, 20)}
"""Of address and port: the type, which nft(8) reads as `ipv4_addr . inet_service`, and the bytes."""
_ADDRESSED_TO = {socket.AF_INET: (2, 16, 4, 9), socket.AF_INET6: (10, 24, 16, 2)}
"""Number of the protocol (NFPROTO_IPV4), offset and length of the destination in its header, and the register behind
such an address."""
_TCP_FLAGS, _SYN, _FLAGS_OFFSET, _PORT_OFFSET = 0x17, 0x02, 13, 2
"""FIN, SYN, RST and ACK; where these are in a TCP header, and where the destination's port is."""


class Redirect(msgspec.Struct, frozen=True):
    """What leads to one enrolment's listeners."""

    generation: str
    """Of the table: hexadecimal, later ones are larger (`is_newer`). Whoever renews another generation's leases fails,
    and learns that it was replaced."""
    ports: Mapping[socket.AddressFamily, int]
    """Listening port by address family."""
    lease: float
    """Seconds for which the rule acts unless it is renewed."""


def encode_redirect(redirect: Redirect, destinations: Iterable[Address]) -> list[bytes]:
    """Render the changes that put our table in place of whatever tables of ours are there.

    In one transaction: deleting the last nat chain of a namespace alone makes redirected connections hang.
    """
    ports = " ".join(str(port) for port in redirect.ports.values())
    comment = f"apisnoop {redirect.generation} ports {ports}: records API calls; remove: nft delete table inet {TABLE}"
    by_family = split_families(destinations)
    changes = [*encode_removals(), encode_table(TABLE, comment)]
    for number, family in enumerate(redirect.ports, start=1):
        name = set_name(redirect, family)
        changes.append(encode_set(TABLE, name, number, _KEYS[family], redirect.lease))
        if family in by_family:
            changes.append(encode_addition(TABLE, name, map(encode_address, by_family[family])))
    ours = load_meta(META_MARK), go_on_if(MARK.to_bytes(4, sys.byteorder)), decide(RETURN)
    return [
        *changes,
        encode_chain(TABLE, CHAIN, "nat", LOCAL_OUT, PRIORITY),
        encode_rule(TABLE, CHAIN, ours, "the connections of the proxy itself"),
        *(encode_rule(TABLE, CHAIN, _lead(redirect, family)) for family in redirect.ports),
    ]


def _lead(redirect: Redirect, family: socket.AddressFamily) -> list[bytes]:
    """Render `tcp flags & (fin | syn | rst | ack) == syn ip daddr . tcp dport @SET redirect to :PORT`."""
    protocol, offset, length, behind = _ADDRESSED_TO[family]
    return [
        *(load_meta(META_L4PROTO), go_on_if(bytes([socket.IPPROTO_TCP]))),
        *(load_payload(TRANSPORT_HEADER, _FLAGS_OFFSET, 1), keep_bits(bytes([_TCP_FLAGS])), go_on_if(bytes([_SYN]))),
        *(load_meta(META_NFPROTO), go_on_if(bytes([protocol]))),
        *(load_payload(NETWORK_HEADER, offset, length), load_payload(TRANSPORT_HEADER, _PORT_OFFSET, 2, behind)),
        go_on_if_in(set_name(redirect, family)),
        *redirect_to(redirect.ports[family]),
    ]


def encode_removals(tables: Iterable[str] = OURS) -> list[bytes]:
    """Render the changes that delete tables of ours, as far as they are there."""
    return [change for one in tables for change in encode_removal(one)]


def render_removal(tables: Iterable[str] = OURS) -> str:
    """Render what deletes tables of ours, as far as they are there; a transaction, or the beginning of one."""
    return "\n".join(f"add table inet {one}\ndelete table inet {one}" for one in tables)


def encode_leases(redirect: Redirect, destinations: Iterable[Address]) -> list[bytes]:
    """Render the changes that make the rule act for another lease on exactly these; on none, if there are none."""
    by_family = split_families(destinations)
    messages = []
    for family in redirect.ports:
        name = set_name(redirect, family)
        messages.append(encode_emptying(TABLE, name))
        if family in by_family:
            messages.append(encode_addition(TABLE, name, map(encode_address, by_family[family])))
    return messages


def parse_comment(comment: str) -> tuple[str, tuple[int, ...]] | None:
    """Read a table's comment: its generation and ports; None if it is not of our making."""
    found = _COMMENT.match(comment)
    ports = tuple(int(port) for port in found["ports"].split()) if found else ()
    return (found["generation"], ports) if found and all(0 < port < 1 << 16 for port in ports) else None


def new_generation(now: float) -> str:
    """Make the generation of an agent that starts now (seconds since the epoch)."""
    return f"{int(now * 1000):011x}{secrets.token_hex(2)}"


def began(generation: str) -> float:
    """Return when an agent has started (seconds since the epoch) by its generation."""
    return int(generation[:-4] or "0", 16) / 1000


def is_newer(generation: str, than: str) -> bool:
    """Tell whether a generation began later than another."""
    return (len(generation), generation) > (len(than), than)


def set_name(redirect: Redirect, family: socket.AddressFamily) -> str:
    """Return the name of the set of one address family."""
    return f"api_{FAMILIES[family][0]}_{redirect.generation}"


def split_families(addresses: Iterable[Address]) -> dict[socket.AddressFamily, list[Address]]:
    """Sort addresses out by family; each list is in order and has no address twice."""
    found: dict[socket.AddressFamily, list[Address]] = {}
    for host, port in sorted(set(addresses), key=_by_number):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found.setdefault(family, []).append((host, port))
    return found


def _by_number(address: Address) -> tuple[int, bytes, int]:
    host = ipaddress.ip_address(address[0])
    return host.version, host.packed, address[1]
