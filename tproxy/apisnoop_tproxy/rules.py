"""The rule that leads a pod's new API connections to the proxy, as nftables(8) text and as leases.

Pure: everything here is rendered, nothing is applied (`nft` does that). Golden files show it.

The rule itself never changes while a pod is recorded. What makes it act are elements of its sets, (address, port),
which the kernel forgets after some seconds: whoever dies takes no API server with him. They are renewed in one
transaction, so that no connection slips between the old and the new.
"""

import ipaddress
import re
import secrets
import socket
import struct
from collections.abc import Iterable, Mapping

import msgspec

from apisnoop.node.messages import Address
from apisnoop_tproxy.namespace import MARK
from apisnoop_tproxy.netlink import NLA_F_NESTED, NLM_F_ACK, NLM_F_CREATE, encode_attribute, encode_message

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

_NFT = 10 << 8
_NEWSETELEM, _DELSETELEM = _NFT | 12, _NFT | 14
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NFPROTO_INET = 1
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS, _LIST_ELEMENT = 1, 2, 3, 1
_ELEMENT_KEY, _DATA_VALUE = 1, 1


class Redirect(msgspec.Struct, frozen=True):
    """What leads to one enrolment's listeners."""

    generation: str
    """Of the table: hexadecimal, later ones are larger (`is_newer`). Whoever renews another generation's leases fails,
    and learns that it was replaced."""
    ports: Mapping[socket.AddressFamily, int]
    """Listening port by address family."""
    lease: float
    """Seconds for which the rule acts unless it is renewed."""


def render_table(redirect: Redirect, destinations: Iterable[Address]) -> str:
    """Render the transaction that puts our table in place of whatever table of ours is there.

    In one transaction: deleting the last nat chain of a namespace alone makes redirected connections hang.
    """
    ports = " ".join(str(port) for port in redirect.ports.values())
    comment = f"apisnoop {redirect.generation} ports {ports}: records API calls; remove: nft delete table inet {TABLE}"
    by_family = split_families(destinations)
    lines = [
        render_removal(),
        f"table inet {TABLE} {{",
        f'\tcomment "{comment}"',
    ]
    for family in redirect.ports:
        lines += _render_set(redirect, family, by_family.get(family, []))
    lines += [
        "\tchain output {",
        f"\t\ttype nat hook output priority {PRIORITY}; policy accept;",
        f'\t\tmeta mark {MARK:#x} return comment "the connections of the proxy itself"',
    ]
    for family, port in redirect.ports.items():
        _, protocol, _ = FAMILIES[family]
        lines.append(
            f"\t\ttcp flags & (fin | syn | rst | ack) == syn {protocol} daddr . tcp dport "
            f"@{set_name(redirect, family)} redirect to :{port}"
        )
    return "\n".join([*lines, "\t}", "}", ""])


def render_removal(tables: Iterable[str] = OURS) -> str:
    """Render what deletes tables of ours, as far as they are there; a transaction, or the beginning of one."""
    return "\n".join(f"add table inet {one}\ndelete table inet {one}" for one in tables)


def encode_leases(redirect: Redirect, destinations: Iterable[Address]) -> list[bytes]:
    """Render the changes that make the rule act for another lease on exactly these; on none, if there are none.

    As netlink messages and not as text: every pod needs this every second, and libnftables takes ten times as long.
    """
    by_family = split_families(destinations)
    messages = []
    for family in redirect.ports:
        name = set_name(redirect, family)
        messages.append(encode_emptying(TABLE, name))
        if family in by_family:
            messages.append(encode_addition(TABLE, name, map(encode_address, by_family[family])))
    return messages


def encode_batch(changes: Iterable[bytes]) -> list[bytes]:
    """Make one transaction of changes."""
    return [encode_message(_BATCH_BEGIN, 0, _header(0, 10)), *changes, encode_message(_BATCH_END, 0, _header(0, 10))]


def encode_emptying(table: str, name: str) -> bytes:
    """Render the removal of all elements of a set: one that names none."""
    return encode_message(_DELSETELEM, NLM_F_ACK, _header(_NFPROTO_INET, 0) + _named(table, name))


def encode_addition(table: str, name: str, elements: Iterable[bytes]) -> bytes:
    """Render the addition of elements to a set; those that are there stay as they are."""
    listed = encode_attribute(_LIST_ELEMENTS | NLA_F_NESTED, b"".join(elements))
    payload = _header(_NFPROTO_INET, 0) + _named(table, name) + listed
    return encode_message(_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK, payload)


def encode_address(address: Address) -> bytes:
    """Render an element that is address and port; fields of a concatenation are padded to four bytes each."""
    return encode_key(ipaddress.ip_address(address[0]).packed + struct.pack("!Hxx", address[1]))


def encode_key(key: bytes) -> bytes:
    """Render an element."""
    value = encode_attribute(_DATA_VALUE, key)
    return encode_attribute(_LIST_ELEMENT | NLA_F_NESTED, encode_attribute(_ELEMENT_KEY | NLA_F_NESTED, value))


def parse_comment(comment: str) -> tuple[str, tuple[int, ...]] | None:
    """Read a table's comment: its generation and ports; None if it is not of our making."""
    found = _COMMENT.match(comment)
    if found is None:
        return None
    return found["generation"], tuple(int(port) for port in found["ports"].split())


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


def _render_set(redirect: Redirect, family: socket.AddressFamily, addresses: list[Address]) -> list[str]:
    kind = FAMILIES[family][2]
    elements = ", ".join(f"{host} . {port}" for host, port in addresses)
    return [
        f"\tset {set_name(redirect, family)} {{",
        f"\t\ttype {kind} . inet_service; flags timeout; timeout {round(redirect.lease * 1000)}ms;",
        *([f"\t\telements = {{ {elements} }}"] if elements else []),
        "\t}",
    ]


def _named(table: str, name: str) -> bytes:
    return encode_attribute(_LIST_TABLE, table.encode() + b"\0") + encode_attribute(_LIST_SET, name.encode() + b"\0")


def _header(family: int, subsystem: int) -> bytes:
    return struct.pack("!BBH", family, 0, subsystem)
