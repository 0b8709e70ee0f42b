"""Whether anybody but us has rules in a pod's network namespace: a mesh, a firewall, the pod's own programs.

Asked every second while other traffic is left untracked, so it asks the kernel and no library.
"""

import errno
import os
import struct

from apisnoop_tproxy.netlink import NLM_F_DUMP, Netlink, encode_message, parse_attributes
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER
from apisnoop_tproxy.rules import OURS

_GETTABLE = (10 << 8) | 1
_EVERY_FAMILY = struct.pack("!BBH", 0, 0, 0)
_TABLE_NAME = 1
_INET = 1
_LARGEST = 64 * 1024
"""Bytes of a list of tables; ours takes some hundreds."""
_OURS = {(_INET, name.encode()) for name in OURS}
_LEGACY = ("/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names")
"""Tables of iptables, where it is not a face of nftables; there only where the kernel has it."""


class Others:
    """In one network namespace, that of the thread that makes it.

    Its socket stays open: to close one, the kernel waits until whatever was changed in the namespace before has gone,
    some 15 ms.
    """

    def __init__(self) -> None:
        self._netlink: Netlink | None = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let go of the namespace; after that, others are taken to be there."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def have_rules(self) -> bool:
        """Tell so; to be asked in the same namespace. Raises OSError."""
        return self._have_tables() or any(_has_text(path) for path in _LEGACY)

    def _have_tables(self) -> bool:
        if self._netlink is None:
            return True
        try:
            found = self._netlink.ask(encode_message(_GETTABLE, NLM_F_DUMP, _EVERY_FAMILY), largest=_LARGEST)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:  # nothing else can be asked of it, and nobody has so many for a while
                self.close()
                return True
            raise
        return any(_identity(table.payload) not in _OURS for table in found)


def _has_text(path: str) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return bool(os.read(file, 1))
    finally:
        os.close(file)


def _identity(payload: bytes) -> tuple[int, bytes]:
    """Return a table's family and name."""
    return payload[0], parse_attributes(payload[len(_EVERY_FAMILY) :]).get(_TABLE_NAME, b"").rstrip(b"\0")
