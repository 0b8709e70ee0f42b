"""A pod's other traffic, left untracked as long as nobody but us has rules in the pod (`untracked`)."""

import logging
from collections.abc import Collection

from apisnoop.causes import cause_of
from apisnoop.node.messages import Address
from apisnoop_tproxy.foothold import Foothold
from apisnoop_tproxy.namespace import in_namespace
from apisnoop_tproxy.nft import RuleError, apply_rules
from apisnoop_tproxy.others import Others
from apisnoop_tproxy.untracked import encode_untracked, render_untracked

logger = logging.getLogger(__name__)


class Exemption:
    """Of one pod. Whatever the kernel cannot do, or somebody does to the table, only has all traffic tracked."""

    def __init__(self, foothold: Foothold) -> None:
        self.acts = False
        """Whether the table is there, and its lease to be renewed."""
        self._foothold = foothold
        self._others: Others | None = None
        self._known: Collection[Address] = ()
        """What the table has been told of the API last."""

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
            if not self._has_others():
                in_namespace(self._foothold.namespace, lambda: apply_rules(render_untracked(destinations, lease)))
                self.acts, self._known = True, destinations
        except (OSError, RuleError) as error:
            logger.debug("other traffic stays tracked: %s", cause_of(error))

    def renew(self, destinations: Collection[Address]) -> None:
        """Have it act for another lease, or no more, if others have come."""
        if not self.acts:
            return
        self.acts = False
        try:
            alone = not self._has_others()
            news = destinations if destinations != self._known else ()
            self._foothold.netfilter.apply(encode_untracked(news, alone=alone))
        except (OSError, RuleError) as error:
            logger.debug("other traffic is tracked again: %s", cause_of(error))
        else:
            self.acts, self._known = alone, destinations

    def _has_others(self) -> bool:
        return in_namespace(self._foothold.namespace, self._look)

    def _look(self) -> bool:
        if self._others is None:
            self._others = Others()
        return self._others.have_rules()
