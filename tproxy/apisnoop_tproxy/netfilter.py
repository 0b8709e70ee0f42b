"""The kernel's packet filter in one pod's network namespace, asked and changed from outside.

Two sockets in there stay open: to close one, the kernel waits until whatever was changed before has gone, some 15 ms.
"""

import errno
from collections.abc import Callable, Collection
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
    """Of one namespace. `put`, `find` and `remove` are for threads, for somebody may have filled our table.

    The rest is for one thread, which never waits for those.
    """

    def __init__(self, namespace: int, quick: Netlink, patient: Netlink) -> None:
        """Take over two sockets that were opened in the namespace of a descriptor, which stays open as long as this."""
        self._namespace = namespace
        self._quick = quick
        self._patient: Netlink | None = patient
        self._turn = Lock()
        self._closed = False

    def close(self) -> None:
        """Let go of the namespace."""
        self._closed = True
        self._quick.close()
        if self._turn.acquire(blocking=False):  # else whoever is at it does this in the end
            self._drop()
            self._turn.release()

    def apply(self, changes: list[bytes]) -> None:
        """Make changes in one transaction, as `rules` gives them. Raises RuleError; then nothing has changed."""
        _apply(self._quick, changes)

    def tracks(self) -> bool:
        """Tell whether there is any connection that is tracked. Raises OSError: EINVAL without ctnetlink."""
        return count_tracked(self._quick) > 0

    def put(self, redirect: Redirect, destinations: Collection[Address]) -> None:
        """Put our table in place of whatever tables of ours are there.

        Raises RuleError, and then nothing has changed, or OSError.
        """
        changes = encode_redirect(redirect, destinations)
        self._patiently(lambda netlink: _apply(netlink, changes))

    def find(self) -> Table | None:
        """Look for our table. Raises OSError."""
        try:
            return self._patiently(read_table)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                return TOO_LARGE
            raise

    def remove(self) -> None:
        """Delete what is ours, as far as it is there. Raises RuleError, OSError."""
        self._patiently(lambda netlink: _apply(netlink, encode_removals()))
        with self._turn:
            self._drop()  # here the kernel may take its time

    def _patiently[Result](self, work: Callable[[Netlink], Result]) -> Result:
        with self._turn:
            try:
                if self._patient is None and not self._closed:
                    self._patient = in_namespace(self._namespace, lambda: Netlink(NETLINK_NETFILTER))
                if self._patient is None:
                    raise RuleError(f"table inet {TABLE}: its pod has been left")
                return work(self._patient)
            except OSError:
                self._drop()  # with whatever it has not told yet
                raise
            finally:
                if self._closed:
                    self._drop()

    def _drop(self) -> None:
        if self._patient is not None:
            self._patient.close()
            self._patient = None


def _apply(netlink: Netlink, changes: list[bytes]) -> None:
    try:
        netlink.ask(*encode_batch(changes))
    except OSError as error:
        raise RuleError(f"table inet {TABLE}: {cause_of(error)}") from None
