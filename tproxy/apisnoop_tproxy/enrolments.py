"""What one pod has with the proxy: the enrolment that leads its new connections there, and those that have been let go
and still have open ones. Says to the proxy what has to be said; when, is `pod_control`'s.
"""

import logging
from dataclasses import dataclass

from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.messages import Enrol, Retire
from apisnoop_tproxy.desk import Desk
from apisnoop_tproxy.nft import RuleError
from apisnoop_tproxy.presence import SupersededError
from apisnoop_tproxy.rules import Redirect
from apisnoop_tproxy.ways import AnyPresence

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Enrolment:
    """What leads to the proxy."""

    number: int
    redirect: Redirect
    accepted: bool = False
    """The proxy listens."""
    acting: bool = False
    """Its table is in place."""


class Enrolments:
    """Of one pod."""

    def __init__(self, desk: Desk) -> None:
        self.current: Enrolment | None = None
        self.draining: set[int] = set()
        """Numbers of those of which the proxy still carries connections."""
        self._desk = desk

    @property
    def acting(self) -> Enrolment | None:
        """The current one, if its table is in place."""
        return self.current if self.current is not None and self.current.acting else None

    def offer(self, number: int, presence: AnyPresence, caller: Caller) -> None:
        """Open listeners in the pod and offer them to the proxy. Raises OSError."""
        listeners = presence.open_listeners()
        ports = {family: sock.getsockname()[1] for family, sock in listeners.items()}
        self.current = Enrolment(number, Redirect(self._desk.generation, ports, self._desk.lease))
        self._desk.say(Enrol(number, caller, self._desk.server, presence.sources), tuple(listeners.values()))
        for sock in listeners.values():
            sock.close()  # the proxy's alone: when it dies, nobody must be left waiting in the queue

    def accepted(self, number: int) -> None:
        """Hear that the proxy listens."""
        if self.current is not None and self.current.number == number:
            self.current.accepted = True

    def refused(self, number: int) -> bool:
        """Hear that it does not; return whether that was the current one."""
        if self.current is None or self.current.number != number:
            return False
        self.current = None
        return True

    def drained(self, number: int, presence: AnyPresence | None) -> None:
        """Hear that no connection of one is left; of the current one, that all who listened for it have gone."""
        self.draining.discard(number)
        if self.current is not None and self.current.number == number:
            self._lapse(presence)

    def let_go(self, presence: AnyPresence | None, reason: str) -> bool:
        """Empty the sets, then retire the enrolment; connections go on. A reason makes it a gap in the record.

        Return whether there was anything to let go.
        """
        enrolment, self.current = self.current, None
        if enrolment is None:
            return False
        _empty(enrolment, presence)
        if reason and enrolment.acting:
            self._desk.lapsed()
        self.draining.add(enrolment.number)
        self._desk.say(Retire(enrolment.number, reason=reason))
        return True

    def renew(self, presence: AnyPresence | None) -> bool:
        """Renew the leases; return whether there are any. Raises RuleError if the table is not there any more."""
        if presence is None or self.acting is None:
            return False
        presence.renew(self.acting.redirect, self._desk.destinations)
        return True

    def shed(self, presence: AnyPresence | None) -> bool:
        """Empty the sets and keep the enrolment; return whether there was anything to empty."""
        if self.acting is None:
            return False
        _empty(self.acting, presence)
        return True

    async def withdraw(self, presence: AnyPresence) -> bool:
        """Delete the table, whoever has made it, if no connection of it is left; return whether it is gone.

        Raises RuleError, and SupersededError if a newer agent's acts.
        """
        found = await presence.look()
        if found is not None and found.live:
            if presence.is_superseded(found):
                raise SupersededError
            await presence.flush()
        if self.draining or presence.busy:
            return False
        await presence.remove()
        return True

    def lost(self, presence: AnyPresence | None) -> None:
        """Forget all: the proxy has gone. What is still open is the kernel's to tell."""
        self._lapse(presence)
        self.draining.clear()

    def _lapse(self, presence: AnyPresence | None) -> None:
        if self.shed(presence):
            self._desk.lapsed()
        self.current = None

    def cut(self) -> None:
        """Have the proxy drop everything: the pod has ended."""
        if self.current is not None:
            self.draining.add(self.current.number)
            self.current = None
        for number in self.draining:
            self._desk.say(Retire(number, cut=True, reason=POD_ENDED))
        self.draining.clear()


def _empty(enrolment: Enrolment, presence: AnyPresence | None) -> None:
    if presence is None or not enrolment.acting:
        return
    try:
        presence.renew(enrolment.redirect, ())
    except RuleError as error:
        logger.info("enrolment %d has no rule any more: %s", enrolment.number, error)
