"""A pod's other traffic, left untracked as long as nobody but us has rules in the pod (`untracked`)."""

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

_LOOPBACK = "lo"

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
        self._known: Collection[Address] = ()
        """What it has been told of the API last."""

    def close(self) -> None:
        """Let go of the namespace."""
        if self._others is not None:
            self._others.close()

    def ended(self) -> None:
        """Hear that the table is taken away."""
        self.acts = False

    def begin(self, destinations: Collection[Address], lease: float) -> None:
        """Put the table in place, unless others have rules; it acts from the next renewal on. Takes milliseconds."""
        try:
            self.acts = in_namespace(self._foothold.namespace, lambda: self._put(destinations, lease))
        except (OSError, RuleError) as error:
            logger.debug("other traffic stays tracked: %s", cause_of(error))

    def renew(self, destinations: Collection[Address]) -> None:
        """Have it act for another lease, or no more, if others have come."""
        if not self.acts:
            return
        self.acts = False
        try:
            alone = self._looks_at(destinations) and not in_namespace(self._foothold.namespace, self._has_others)
            news = destinations if destinations != self._known else ()
            self._foothold.netfilter.apply(encode_untracked(news, self._interfaces if alone else ()))
        except (OSError, RuleError) as error:
            logger.debug("other traffic is tracked again: %s", cause_of(error))
        else:
            self.acts, self._known = alone, destinations

    def _put(self, destinations: Collection[Address], lease: float) -> bool:
        """Do so, inside; return whether that was possible."""
        if self._has_others():
            return False
        apply_rules(render_untracked(destinations, lease))
        self._interfaces = [index for index, name in socket.if_nameindex() if name != _LOOPBACK]
        self._ports, self._known = {port for _, port in destinations}, destinations
        return True

    def _looks_at(self, destinations: Collection[Address]) -> bool:
        return all(port in self._ports for _, port in destinations)

    def _has_others(self) -> bool:
        """Tell whether others have rules, inside."""
        if self._others is None:
            self._others = Others()
        return self._others.have_rules()
