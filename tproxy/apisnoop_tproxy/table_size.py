"""Whether a table of our name is of a size that we would make, found out without reading more of it than that.

libnftables reads a table whole before it lists it: a pod with NET_ADMIN could fill ours until the agent is out of
memory. To replace or delete one, on the other hand, it reads nothing.
"""

import errno
import struct
from enum import Enum

from apisnoop_tproxy.netlink import NLM_F_DUMP, Netlink, encode_attribute, encode_message, parse_attributes
from apisnoop_tproxy.rules import TABLE

NETLINK_NETFILTER = 12
LARGEST = 128 * 1024
"""Bytes of what the kernel tells of a table's rules, or of the elements of one set; ours take some hundreds."""
_MOST_PARTS = 16
"""Chains, sets and the like; ours has three."""

_NFT = 10 << 8
_GETTABLE, _GETRULE, _GETSET, _GETSETELEM = _NFT | 1, _NFT | 7, _NFT | 10, _NFT | 13
_TABLE_NAME, _TABLE_USE = 1, 3
_SET_NAME = 2
_OF_TABLE, _OF_SET = 1, 2
_INET = struct.pack("!BBH", 1, 0, 0)


class Size(Enum):
    """What there is."""

    NONE = "none"
    MODEST = "modest"
    TOO_LARGE = "too large"


def measure() -> Size:
    """Tell whether there is a table of our name in the calling thread's network namespace, and may be listed.

    Raises OSError.
    """
    netlink = Netlink(NETLINK_NETFILTER)
    try:
        return Size.MODEST if _is_modest(netlink) else Size.TOO_LARGE
    except FileNotFoundError:  # no table, or none any more
        return Size.NONE
    except OSError as error:
        if error.errno == errno.EMSGSIZE:
            return Size.TOO_LARGE
        raise
    finally:
        netlink.close()


def _is_modest(netlink: Netlink) -> bool:
    named = encode_attribute(_OF_TABLE, TABLE.encode() + b"\0")
    for table in netlink.ask(encode_message(_GETTABLE, 0, _INET + named)):
        if int.from_bytes(parse_attributes(table.payload[len(_INET) :]).get(_TABLE_USE, b""), "big") > _MOST_PARTS:
            return False
    netlink.ask(encode_message(_GETRULE, NLM_F_DUMP, _INET + named), largest=LARGEST)
    for found in netlink.ask(encode_message(_GETSET, NLM_F_DUMP, _INET + named), largest=LARGEST):
        name = parse_attributes(found.payload[len(_INET) :]).get(_SET_NAME, b"\0")
        elements = named + encode_attribute(_OF_SET, name)
        netlink.ask(encode_message(_GETSETELEM, NLM_F_DUMP, _INET + elements), largest=LARGEST)
    return True
