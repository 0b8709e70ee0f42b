"""What is in our table, whoever has written it, read from the kernel without reading more than ours would hold.

A pod with NET_ADMIN could fill it until the agent is out of memory. To replace or delete one, on the other hand,
nothing of it is read.
"""

import errno
import hashlib

import msgspec

from apisnoop_tproxy import nf_tables
from apisnoop_tproxy.netlink import NLM_F_DUMP, Netlink, encode_attribute, parse_attributes
from apisnoop_tproxy.rules import CHAIN, TABLE, parse_comment

LARGEST = 128 * 1024
"""Bytes of what the kernel tells of a table's rules, or of the elements of one set; ours take some hundreds."""
_MOST_PARTS = 16
"""Chains, sets and the like; ours has three."""
_COMMENT = 0
_SET_DESCRIPTION, _SIZE = 9, 1
_OF_SET = nf_tables.SET_NAME, nf_tables.SET_FLAGS, nf_tables.SET_KEY_LENGTH, nf_tables.SET_TIMEOUT, 17, 18
"""The last two are expressions that are tried with each element that is found, such as a limit."""
_NAMED = encode_attribute(nf_tables.TABLE_NAME, TABLE.encode() + b"\0")
"""The first attribute of all that can be asked."""


class Table(msgspec.Struct, frozen=True):
    """Our table, as found in a namespace."""

    generation: str
    ports: tuple[int, ...]
    live: bool
    """Whether it leads anything anywhere: its leases have not run out."""
    fingerprint: str
    """Of everything in it but what changes by itself: two tables with the same one do the same."""


TOO_LARGE = Table("", (), live=True, fingerprint="too large")
"""Somebody else's, then."""


def read_table(netlink: Netlink, *, ours: bool = False) -> Table | None:
    """Read it; None: there is none. `ours`: it has been made just now, and acts.

    Raises OSError: EMSGSIZE if it is too large, and then nothing else can be asked.
    """
    try:
        return _read(netlink, ours=ours)
    except FileNotFoundError:  # not there, or not any more
        return None


def _read(netlink: Netlink, *, ours: bool) -> Table:
    (table,) = _ask(netlink, nf_tables.GETTABLE, _NAMED)
    if int.from_bytes(table.get(nf_tables.TABLE_USE, b""), "big") > _MOST_PARTS:
        raise OSError(errno.EMSGSIZE, "a table of many parts")
    rules = _ask(netlink, nf_tables.GETRULE, _NAMED, flags=NLM_F_DUMP)
    sets = _ask(netlink, nf_tables.GETSET, _NAMED, flags=NLM_F_DUMP)
    generation, ports = parse_comment(_comment_of(table)) or ("", ())
    parts = [
        _part(table, nf_tables.TABLE_FLAGS, nf_tables.TABLE_USE, nf_tables.TABLE_USERDATA),
        *(_part(one, nf_tables.CHAIN_HOOK, nf_tables.CHAIN_POLICY, nf_tables.CHAIN_TYPE) for one in _chains(netlink)),
        *(_part(one, nf_tables.RULE_CHAIN, nf_tables.RULE_EXPRESSIONS) for one in rules),
        *(_part(one, *_OF_SET) + _part(parse_attributes(one.get(_SET_DESCRIPTION, b"")), _SIZE) for one in sets),
    ]
    live = ours or any(_has_elements(netlink, one[nf_tables.SET_NAME]) for one in sets)
    return Table(generation, ports, live, hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest())


def _chains(netlink: Netlink) -> list[dict[int, bytes]]:
    """Read the one chain that acts; rules show which chains they are in, and the table how many parts it has."""
    named = encode_attribute(nf_tables.CHAIN_NAME, CHAIN.encode() + b"\0")
    try:
        return _ask(netlink, nf_tables.GETCHAIN, _NAMED, named)
    except FileNotFoundError:
        return []


def _has_elements(netlink: Netlink, name: bytes) -> bool:
    of_set = encode_attribute(nf_tables.LIST_SET, name)
    told = _ask(netlink, nf_tables.GETSETELEM, _NAMED, of_set, flags=NLM_F_DUMP)
    return any(one.get(nf_tables.LIST_ELEMENTS) for one in told)


def _ask(netlink: Netlink, kind: int, *attributes: bytes, flags: int = 0) -> list[dict[int, bytes]]:
    answers = netlink.ask(nf_tables.encode_question(kind, *attributes, flags=flags), largest=LARGEST)
    return [parse_attributes(answer.payload[nf_tables.HEADER_SIZE :]) for answer in answers]


def _part(told: dict[int, bytes], *kinds: int) -> bytes:
    """Render what is told of some attributes, so that different parts never look the same."""
    return b"".join(len(one).to_bytes(4) + one for one in (told.get(kind, b"") for kind in kinds))


def _comment_of(table: dict[int, bytes]) -> str:
    data = table.get(nf_tables.TABLE_USERDATA, b"")
    while len(data) >= 2:
        kind, length = data[:2]
        if kind == _COMMENT:
            return data[2 : 2 + length].rstrip(b"\0").decode(errors="replace")
        data = data[2 + length :]
    return ""
