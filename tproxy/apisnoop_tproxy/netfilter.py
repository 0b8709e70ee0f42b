"""The kernel's packet filter in one pod's network namespace, asked and changed from outside."""

import errno
from collections.abc import Collection
from threading import Lock

from apisnoop.causes import cause_of
from apisnoop.node.messages import Address
from apisnoop_tproxy.conntrack import count_tracked
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.netlink import Netlink
from apisnoop_tproxy.nf_tables import NETLINK_NETFILTER, encode_batch
from apisnoop_tproxy.nft import RuleError
from apisnoop_tproxy.rules import TABLE, Redirect, encode_redirect, encode_removals
from apisnoop_tproxy.table import TOO_LARGE, Table, read_table


class Netfilter:
    """A socket there, for one thread at a time.

    It stays open: to close one, the kernel waits until whatever was changed in the namespace before has gone, some
    15 ms.
    """

    def __init__(self, namespace: int, opened: Netlink) -> None:
        """Take over a socket that was opened in the namespace of a descriptor, which stays open as long as this is."""
        self._namespace = namespace
        self._netlink = opened
        self._turn = Lock()

    def close(self) -> None:
        """Let go of the namespace."""
        self._netlink.close()

    def apply(self, changes: list[bytes]) -> None:
        """Make changes in one transaction, as `rules` gives them. Raises RuleError; then nothing has changed."""
        try:
            with self._turn:
                self._netlink.ask(*encode_batch(changes))
        except OSError as error:
            raise RuleError(f"table inet {TABLE}: {cause_of(error)}") from None

    def put(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Put our table in place of whatever tables of ours are there. Raises RuleError; then nothing has changed."""
        self.apply(encode_redirect(redirect, destinations))

    def find(self, *, ours: bool = False) -> Table | None:
        """Look for our table; `ours`: it has been made just now. Raises OSError."""
        with self._turn:
            try:
                return read_table(self._netlink, ours=ours)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                spoilt, self._netlink = self._netlink, in_namespace(self._namespace, lambda: Netlink(NETLINK_NETFILTER))
                spoilt.close()  # with all that it has not told yet
                return TOO_LARGE

    def remove(self) -> None:
        """Delete what is ours, as far as it is there. Raises RuleError."""
        self.apply(encode_removals())

    def tracks(self) -> bool:
        """Tell whether there is any connection that is tracked. Raises OSError: EINVAL without ctnetlink."""
        with self._turn:
            return count_tracked(self._netlink) > 0
