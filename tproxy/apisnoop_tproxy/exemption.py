"""A pod's other traffic, left untracked as long as nobody but us has rules in the pod (`untracked`)."""

import ipaddress
import logging
import socket
from collections.abc import Collection

from apisnoop.causes import cause_of
from apisnoop.node.messages import Address
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.nft import RuleError, apply_rules
from apisnoop_tproxy.others import Others
from apisnoop_tproxy.untracked import encode_untracked, render_untracked

_LOOPBACK_INDEX = 1
"""LOOPBACK_IFINDEX of linux/net.h: in every namespace, whatever it is called."""

logger = logging.getLogger(__name__)


class Exemption:
    """Of one pod. Whatever the kernel cannot do, or somebody does to the table, only has all traffic tracked."""

    def __init__(self, foothold: Foothold) -> None:
        self.acts = False
        """Whether the table is there, and its lease to be renewed."""
        self._foothold = foothold
        self._others: Others | None = None
        self._interfaces: Collection[int] = ()
        self._ports: Collection[int] = ()
        """Those of the API that the table looks at."""
        self._led: set[Address] = set()
        """Where connections that were led have been going since we are in the pod."""
        self._known: frozenset[Address] = frozenset()
        """What of that the table knows."""

    def close(self) -> None:
        """Let go of the namespace."""
        if self._others is not None:
            self._others.close()

    def ended(self) -> None:
        """Hear that the table is taken away, or cannot be changed."""
        self.acts = False

    def to_know(self, destinations: Collection[Address]) -> frozenset[Address]:
        """Give what a table that begins now has to know."""
        return frozenset(self._led.union(destinations))

    def begin(self, known: frozenset[Address], lease: float) -> None:
        """Put the table in place, unless others have rules; it acts from the next renewal on. Takes milliseconds."""
        try:
            self.acts = in_namespace(self._foothold.namespace, lambda: self._put(known, lease))
        except (OSError, RuleError) as error:
            logger.debug("other traffic stays tracked: %s", cause_of(error))

    def renew(self, destinations: Collection[Address]) -> list[bytes]:
        """Give the changes that have it act for another lease, and for no longer if others have come.

        They are to be made with those that have connections to `destinations` led: what is led has to be tracked.
        """
        self._led.update(destinations)
        if not self.acts:
            return []
        self.acts = self._looks_at(destinations) and not self._has_others()
        news, self._known = self._led - self._known, self._known | self._led
        return encode_untracked(news, self._interfaces if self.acts else ())

    def _put(self, known: frozenset[Address], lease: float) -> bool:
        """Do so, inside; return whether that was possible."""
        if self._look() or self._carries_elsewhere(known):
            return False
        apply_rules(render_untracked(known, lease))
        self._interfaces = [index for index, _ in socket.if_nameindex() if index != _LOOPBACK_INDEX]
        self._ports, self._known = {port for _, port in known}, known
        return True

    def _carries_elsewhere(self, known: Collection[Address]) -> bool:
        """Tell whether a connection is led, by whomever, that was not going to one of these. Raises OSError."""
        found = self._foothold.diagnosis.connections()
        led = {one.remote for one in found if _is_loopback(one.local) and not _is_loopback(one.remote)}
        return any(one.local in led and one.remote not in known for one in found)

    def _looks_at(self, destinations: Collection[Address]) -> bool:
        return all(port in self._ports for _, port in destinations)

    def _has_others(self) -> bool:
        """Tell whether others have rules, or may have."""
        try:
            return in_namespace(self._foothold.namespace, self._look)
        except OSError as error:
            logger.debug("other traffic is tracked again: %s", cause_of(error))
            return True

    def _look(self) -> bool:
        """Tell whether others have rules, inside. Raises OSError."""
        if self._others is None:
            self._others = Others()
        return self._others.have_rules()


def _is_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address[0]).is_loopback
