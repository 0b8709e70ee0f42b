"""The vocabulary of nf_tables on netlink (linux/netfilter/nf_tables.h): what a transaction says, and a rule.

Pure, and no more of it than our rules need. Everything is in tables of family `inet`. Registers 1 to 4 have 16 bytes
each; the first is also registers 8 to 11 of four bytes: a key of several fields fills them one after the other.
"""

import functools
import ipaddress
import struct
from collections.abc import Iterable

from apisnoop.node.messages import Address
from apisnoop_tproxy.netlink import (
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    encode_attribute,
    encode_message,
)

NETLINK_NETFILTER = 12

_SUBSYSTEM = 10
_NFT = _SUBSYSTEM << 8
_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE = _NFT | 0, _NFT | 2, _NFT | 3, _NFT | 6
_NEWSET, _NEWSETELEM, _DELSETELEM = _NFT | 9, _NFT | 12, _NFT | 14
GETTABLE, GETCHAIN, GETRULE, GETSET, GETSETELEM = _NFT | 1, _NFT | 4, _NFT | 7, _NFT | 10, _NFT | 13
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_INET = 1
HEADER_SIZE = 4
"""Of struct nfgenmsg, which every message begins with."""

TABLE_NAME, TABLE_FLAGS, TABLE_USE, TABLE_USERDATA = 1, 2, 3, 6
CHAIN_TABLE, CHAIN_NAME, CHAIN_HOOK, CHAIN_POLICY, CHAIN_TYPE = 1, 3, 4, 5, 7
RULE_TABLE, RULE_CHAIN, RULE_EXPRESSIONS, RULE_USERDATA = 1, 2, 4, 7
SET_TABLE, SET_NAME, SET_FLAGS, SET_KEY_TYPE, SET_KEY_LENGTH, SET_ID, SET_TIMEOUT = 1, 2, 3, 4, 5, 10, 11
LIST_TABLE, LIST_SET, LIST_ELEMENTS = 1, 2, 3
_LIST_ELEMENT, _ELEMENT_KEY, _DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 1, 1, 1, 2, 1
_HOOK_NUMBER, _HOOK_PRIORITY = 1, 2
_EXPRESSION, _EXPRESSION_NAME, _EXPRESSION_DATA = 1, 1, 2
_COMMENT = 0
"""Type of a table's comment among its user data, and of a rule's, as nft(8) has them."""

LOCAL_OUT = 3
ACCEPT, RETURN = 1, -5
SET_TIMEOUTS = 0x10
META_MARK, META_NFPROTO, META_L4PROTO = 3, 15, 16
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
_PROTO_SPECIFIED = 2


# -- a transaction ---------------------------------------------------------------------------------------------------


def encode_batch(changes: Iterable[bytes]) -> list[bytes]:
    """Make one transaction of changes."""
    header = struct.pack("!BBH", 0, 0, _SUBSYSTEM)
    return [encode_message(_BATCH_BEGIN, 0, header), *changes, encode_message(_BATCH_END, 0, header)]


@functools.lru_cache
def encode_removal(table: str) -> list[bytes]:
    """Render the removal of a table, whether it is there or not."""
    named = _text(TABLE_NAME, table)
    return [_change(_NEWTABLE, named, _number(TABLE_FLAGS, 0)), _change(_DELTABLE, named)]


def encode_table(table: str, comment: str) -> bytes:
    """Render a new table."""
    return _change(_NEWTABLE, _text(TABLE_NAME, table), _number(TABLE_FLAGS, 0), _comment(TABLE_USERDATA, comment))


@functools.lru_cache
def encode_chain(table: str, name: str, kind: str, hook: int, priority: int) -> bytes:
    """Render a new base chain, which accepts what no rule of it decides about."""
    where = _number(_HOOK_NUMBER, hook) + encode_attribute(_HOOK_PRIORITY, struct.pack("!i", priority))
    named = _text(CHAIN_TABLE, table), _text(CHAIN_NAME, name)
    return _change(
        _NEWCHAIN, *named, _text(CHAIN_TYPE, kind), _number(CHAIN_POLICY, ACCEPT), _nested(CHAIN_HOOK, where)
    )


@functools.lru_cache
def encode_set(table: str, name: str, number: int, key: tuple[int, int], timeout: float) -> bytes:
    """Render a new set whose elements are gone after `timeout` seconds; `number` is another for each of a transaction.

    `key` is the type of an element's key, which tells nft(8) how to show it, and its length.
    """
    return _change(
        _NEWSET,
        *(_text(SET_TABLE, table), _text(SET_NAME, name), _number(SET_FLAGS, SET_TIMEOUTS)),
        *(_number(SET_KEY_TYPE, key[0]), _number(SET_KEY_LENGTH, key[1]), _number(SET_ID, number)),
        encode_attribute(SET_TIMEOUT, struct.pack("!Q", round(timeout * 1000))),
    )


def encode_rule(table: str, chain: str, expressions: Iterable[bytes], comment: str = "") -> bytes:
    """Render a rule at the end of a chain."""
    return encode_message(
        _NEWRULE,
        NLM_F_CREATE | NLM_F_APPEND,
        _INET_HEADER
        + _text(RULE_TABLE, table)
        + _text(RULE_CHAIN, chain)
        + _nested(RULE_EXPRESSIONS, b"".join(expressions))
        + (_comment(RULE_USERDATA, comment) if comment else b""),
    )


def encode_emptying(table: str, name: str) -> bytes:
    """Render the removal of all elements of a set: one that names none."""
    return _change(_DELSETELEM, _text(LIST_TABLE, table), _text(LIST_SET, name), flags=NLM_F_ACK)


def encode_addition(table: str, name: str, elements: Iterable[bytes]) -> bytes:
    """Render the addition of elements to a set; those that are there stay as they are."""
    listed = _nested(LIST_ELEMENTS, b"".join(elements))
    named = _text(LIST_TABLE, table), _text(LIST_SET, name)
    return _change(_NEWSETELEM, *named, listed, flags=NLM_F_CREATE | NLM_F_ACK)


@functools.lru_cache
def encode_address(address: Address) -> bytes:
    """Render an element that is address and port; fields of a concatenation are padded to four bytes each."""
    return encode_key(ipaddress.ip_address(address[0]).packed + struct.pack("!Hxx", address[1]))


def encode_key(key: bytes) -> bytes:
    """Render an element."""
    value = encode_attribute(_DATA_VALUE, key)
    return _nested(_LIST_ELEMENT, _nested(_ELEMENT_KEY, value))


def encode_question(kind: int, *attributes: bytes, flags: int = 0) -> bytes:
    """Render a question about what there is."""
    return encode_message(kind, flags, _INET_HEADER + b"".join(attributes))


# -- the expressions of a rule ---------------------------------------------------------------------------------------


@functools.lru_cache
def load_meta(key: int) -> bytes:
    """Put something about the packet into the first register."""
    return _expression("meta", _number(2, key), _number(1, 1))


@functools.lru_cache
def load_payload(base: int, offset: int, length: int, register: int = 1) -> bytes:
    """Put bytes of the packet into a register."""
    return _expression("payload", _number(1, register), _number(2, base), _number(3, offset), _number(4, length))


@functools.lru_cache
def keep_bits(mask: bytes) -> bytes:
    """Keep some bits of the first register."""
    register = _number(1, 1), _number(2, 1), _number(3, len(mask))
    return _expression("bitwise", *register, _value(4, mask), _value(5, bytes(len(mask))))


@functools.lru_cache
def go_on_if(value: bytes) -> bytes:
    """End the rule unless the first register has this value."""
    return _expression("cmp", _number(1, 1), _number(2, 0), _value(3, value))


@functools.lru_cache
def go_on_if_in(name: str) -> bytes:
    """End the rule unless what is in the registers from the first on is an element of a set."""
    return _expression("lookup", _number(2, 1), _text(1, name))


@functools.lru_cache
def decide(verdict: int) -> bytes:
    """Decide about the packet."""
    code = encode_attribute(_VERDICT_CODE, struct.pack("!i", verdict))
    return _expression("immediate", _number(1, 0), _nested(2, _nested(_DATA_VERDICT, code)))


def redirect_to(port: int) -> list[bytes]:
    """Lead the connection to a port of the namespace's own."""
    load = _expression("immediate", _number(1, 1), _value(2, struct.pack("!H", port)))
    return [load, _expression("redir", _number(1, 1), _number(3, _PROTO_SPECIFIED))]


# -- attributes ------------------------------------------------------------------------------------------------------

_INET_HEADER = struct.pack("!BBH", _INET, 0, 0)


def _change(kind: int, *attributes: bytes, flags: int = NLM_F_CREATE) -> bytes:
    return encode_message(kind, flags, _INET_HEADER + b"".join(attributes))


def _expression(name: str, *attributes: bytes) -> bytes:
    told = _text(_EXPRESSION_NAME, name) + _nested(_EXPRESSION_DATA, b"".join(attributes))
    return _nested(_EXPRESSION, told)


def _number(kind: int, value: int) -> bytes:
    return encode_attribute(kind, struct.pack("!I", value))


def _text(kind: int, value: str) -> bytes:
    return encode_attribute(kind, value.encode() + b"\0")


def _nested(kind: int, attributes: bytes) -> bytes:
    return encode_attribute(kind | NLA_F_NESTED, attributes)


def _value(kind: int, value: bytes) -> bytes:
    return _nested(kind, encode_attribute(_DATA_VALUE, value))


def _comment(kind: int, comment: str) -> bytes:
    text = comment.encode() + b"\0"
    return encode_attribute(kind, bytes([_COMMENT, len(text)]) + text)
