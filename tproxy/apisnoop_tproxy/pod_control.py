"""One pod of the node: brings what is there to what is wanted, whatever happened in between.

Level-triggered: `converge` looks at the pod as it is and takes the next steps. Order is what keeps connections whole:
listener before rule, rule emptied before the listener goes, table deleted last, when no connection of it is left.
"""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field

from apisnoop.calls.recording import POD_ENDED
from apisnoop.node.wanted import Wanted
from apisnoop_tproxy.desk import Desk
from apisnoop_tproxy.enrolments import Enrolment, Enrolments
from apisnoop_tproxy.foothold import NotThereError
from apisnoop_tproxy.nft import RuleError
from apisnoop_tproxy.permission import NO_BLOCK, Block, lasts_until, refusal_of
from apisnoop_tproxy.pod_facts import PodFacts, caller_of
from apisnoop_tproxy.pod_state import Cause, Code, Condition, State
from apisnoop_tproxy.presence import SupersededError
from apisnoop_tproxy.settling import Settling
from apisnoop_tproxy.sweep import Sweep
from apisnoop_tproxy.unreadable import Unreadable
from apisnoop_tproxy.visit import Visit
from apisnoop_tproxy.wait import PORT
from apisnoop_tproxy.ways import AnyPresence

logger = logging.getLogger(__name__)

SOON, RATHER_SOON, LATER = 0.1, 1.0, 30.0
"""Seconds after which to look again: something is about to come; it is late; something may have changed unseen."""
PATIENT_SECONDS = 60.0
"""For how long something is about to come."""
BLOCKED_SECONDS = 600.0
"""For how long a pod that took too much is left alone."""
_WHILE_DRAINING = 0.5
SUPERSEDED = Cause(Code.SUPERSEDED, "a newer node agent of this node has taken it over")


@dataclass(slots=True, eq=False)
class PodControl:
    """The pod. `touched` is set whenever something may have changed; whoever runs it then calls `converge`."""

    facts: PodFacts
    wanted: Wanted
    workload: str
    desk: Desk
    state: State = field(default_factory=State)
    touched: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    unreadable: Unreadable = field(default_factory=Unreadable)
    sweep: Sweep = field(default_factory=Sweep)
    settling: Settling = field(default_factory=Settling)
    enrolments: Enrolments = field(init=False)
    visit: Visit = field(init=False)
    _known: float = field(default_factory=time.monotonic)
    _asked: float | None = None
    """When it began to be wanted, running already; until the rule is there."""
    _superseded: bool = False
    _resetting: bool = False
    """Whether connections that go past the proxy are to be broken, once, as soon as new ones do not."""
    _block: Block = NO_BLOCK

    def __post_init__(self) -> None:
        self.enrolments = Enrolments(self.desk)
        self.visit = Visit(self.desk, self.touched)
        if self.wanted.yes and self.facts.addresses:
            self._asked = self._known

    @property
    def presence(self) -> AnyPresence | None:
        """What is ours in the pod, while we are in it."""
        return self.visit.presence

    # -- what is wanted --------------------------------------------------------------------------------------------

    def update(self, facts: PodFacts, wanted: Wanted, workload: str) -> None:
        """Take what is known now."""
        if wanted != self.wanted:
            self._block = NO_BLOCK
            self._asked = time.monotonic() if wanted.yes and not self.wanted.yes else None
        self._resetting = wanted.reset and (self._resetting or not self.wanted.reset)
        self.facts, self.wanted, self.workload = facts, wanted, workload
        self.touched.set()

    async def converge(self) -> float | None:
        """Take the next steps; return the seconds after which to look again, None if nothing is to come by itself."""
        if self.gone or self.facts.ended:
            self.release()
            return None
        now = time.time()
        refusal = refusal_of(self.facts, self.wanted, self._block, now)
        lasting = lasts_until(self.wanted, self._block, now)
        try:
            await self._hold_on()
            await self._sweep()
            again = await (self._on() if refusal is None else self._off(refusal))
            self._attend()
            await self._exempt()
        except SupersededError:
            again = self._step_back()
        except NotThereError as error:
            self._become(Condition.WAITING, Cause(Code.NOT_ENTERED, str(error)))
            return self._patience()
        except (OSError, RuleError) as error:
            self.let_go(f"it cannot be intercepted: {error}")
            self._become(Condition.SKIPPED, Cause(Code.RULE_FAILED, str(error)))
            return LATER  # also from looking: to offer it again at once would fail again
        return self._in_time(again, lasting)

    def _in_time(self, again: float | None, lasting: float | None) -> float | None:
        """Look again when what is refused or not changes by itself, if not before."""
        moments = [again] if again is not None else []
        if self.visit.unattended:
            moments.append(RATHER_SOON)
        if self.presence is not None and self.sweep.again is not None:
            moments.append(self.sweep.again)
        if self.enrolments.acting is not None and self.settling.again:
            moments.append(self.settling.again)
        if lasting is not None:
            moments.append(max(0.0, lasting - time.time()))
        return min(moments, default=None)

    def _patience(self) -> float:
        expected = self.facts.starting or not self.visit.examined
        return SOON if expected and time.monotonic() - self._known < PATIENT_SECONDS else RATHER_SOON

    # -- on --------------------------------------------------------------------------------------------------------

    async def _on(self) -> float | None:
        enrolment = self.enrolments.current
        if enrolment is None:
            return await self._offer()
        if enrolment.acting:
            await self._inspect(enrolment)
            self._reset()
            return LATER
        if enrolment.accepted:
            await self._act(enrolment)
            return LATER
        return None

    async def _offer(self) -> float | None:
        """Offer the pod to the proxy, if it can be."""
        presence = await self.visit.enter(self.facts)
        self._attend()
        if self._superseded:
            found = await presence.look()
            if presence.is_superseded(found):
                raise SupersededError
            self._superseded = False
        missing = self._missing()
        if missing is not None:
            self._become(Condition.WAITING, missing)
            return None
        trust = await self.desk.ways.trust(self.facts, presence)
        if not trust.accepted:
            self._become(Condition.SKIPPED, Cause(Code.NOT_TRUSTED, trust.why))
            return LATER
        if self._missing() is not None or self.presence is not presence:
            return SOON
        self.enrolments.offer(self.desk.number(self), presence, caller_of(self.facts, self.workload, self.desk.node))
        return None

    def _missing(self) -> Cause | None:
        """Say what the node lacks; it may change whenever something is awaited."""
        if not self.desk.destinations:
            return Cause(Code.SERVER_UNKNOWN, "the addresses of the API server are not known yet")
        return None if self.desk.offering else Cause(Code.PROXY_MISSING, "the node's proxy is not there")

    async def _act(self, enrolment: Enrolment) -> None:
        """Put the rule in place."""
        presence = await self.visit.enter(self.facts)
        await presence.act(enrolment.redirect, self.desk.destinations if self.desk.well else ())
        if self.enrolments.current is not enrolment:  # it was let go meanwhile
            presence.renew(enrolment.redirect, ())
            return
        enrolment.acting = True
        self.sweep.begin()
        if self._asked is not None:
            self.desk.acted(time.monotonic() - self._asked)
            self._asked = None
        self._resetting = self.wanted.reset
        self._reset()
        if self.desk.well:
            self._become(Condition.INTERCEPTING, Cause(Code.WANTED, self.wanted.why))
        else:
            self._become(Condition.SHED, Cause(Code.PROXY_ILL, "the node's proxy is not well"))
        await self._sweep()

    def _reset(self) -> None:
        """Break the connections that go past the proxy, where that is asked for and new ones do not."""
        if self._resetting and self.presence is not None and self.enrolments.acting is not None and self.desk.well:
            self._resetting = False
            self._note_unbroken(self.presence.break_direct(self.desk.destinations))

    async def _inspect(self, enrolment: Enrolment) -> None:
        """See whether the table is still what we made it, and whether the pod still accepts our certificate."""
        presence = await self.visit.enter(self.facts)
        became = await presence.check()
        if became:
            self._note(Cause(Code.RULE_CHANGED, became))
        else:
            trust = await self.desk.ways.trust(self.facts, presence)
            became = trust.why
        if became and self.enrolments.current is enrolment:
            self.let_go(became)
            self.touched.set()

    def _step_back(self) -> float:
        """Leave the pod to a newer agent; take it up again only when that one's leases run out."""
        self._superseded = True
        self.let_go(SUPERSEDED.why)
        self._become(Condition.DRAINING, SUPERSEDED)
        self._attend()
        return RATHER_SOON

    async def _hold_on(self) -> None:
        """Stay in the pod as long as it lives, and let go of what has ended: its namespace must not outlive it."""
        if not await self.visit.hold_on(self.facts):
            self.release()
            self._known = time.monotonic()

    def _attend(self) -> None:
        """Be there for the init container's question as long as it may ask, and answer it as things stand."""
        why = self.visit.attend(starting=self.facts.starting, answer=self.state.answer)
        if why and self.desk.succession.alone:
            self._note(Cause(Code.PORT_TAKEN, f"its init container hears somebody else on port {PORT}: {why}"))

    async def _sweep(self) -> None:
        """Have connection tracking forget what would send new connections the old way, if it is time."""
        await self.sweep.carry_out(self.presence, self.desk.destinations)

    async def _exempt(self) -> None:
        """Spare the pod's other traffic what only we need, as soon as whoever else may need it has had time to say."""
        enrolment, presence = self.enrolments.acting, self.presence
        settled = self.settling.see(running=self.facts.running and enrolment is not None)
        if settled and enrolment is not None and presence is not None:
            await presence.exempt(self.desk.destinations, enrolment.redirect.lease)

    def leave(self) -> None:
        """Close every descriptor that keeps the namespace."""
        self.visit.leave()

    def _note(self, cause: Cause) -> None:
        """Tell what has happened, beside how it stands with the pod."""
        self.desk.tell(self.facts, State(self.state.name, cause, time.time()))

    # -- off -------------------------------------------------------------------------------------------------------

    async def _off(self, cause: Cause) -> float | None:
        """Let the pod go; delete the table when the last connection of it has ended."""
        self.let_go("")
        resting = Condition.SKIPPED if self.wanted.yes else Condition.OFF
        if self.presence is None and (self.visit.examined or self.facts.unfit is not None):
            self._become(resting, cause)
            return None
        try:
            presence = await self.visit.enter(self.facts)
        except NotThereError:
            self._become(resting, cause)
            return None if self.facts.addresses else RATHER_SOON
        if not await self.enrolments.withdraw(presence):
            self._become(Condition.DRAINING, cause)
            return _WHILE_DRAINING
        self._become(resting, cause)
        if not self.facts.starting:  # its init container may still ask
            self.leave()
        return None

    def let_go(self, reason: str) -> None:
        """Lead no new connections to the proxy, and let open ones end. A reason makes it a gap in the record."""
        if self.enrolments.let_go(self.presence, reason):
            self.sweep.begin()

    async def finish(self, *, patient: bool = True) -> bool:
        """Delete the table if it is ours and no connection of it is left; the agent ends. Return whether it is gone.

        Patient: not before the proxy says, too, that nothing is left, which knows of connections on their way.
        """
        if self.presence is None:
            return True
        if self._superseded:  # what is there is the newer agent's to remove
            self.leave()
            return True
        await self._sweep()
        with suppress(OSError):  # where connections cannot be told, none is waited for
            if self.presence.busy or (patient and self.enrolments.draining and self.desk.served):
                return False
        with suppress(OSError, RuleError):
            await self.presence.remove(self.desk.generation)
        self.leave()
        return True

    def release(self) -> None:
        """Let go of everything at once: the pod has ended, and its namespace must not outlive it."""
        self.enrolments.cut()
        self.leave()
        self._become(Condition.OFF, Cause(Code.POD_ENDED, POD_ENDED))

    # -- what the proxy and its health say -------------------------------------------------------------------------

    def accepted(self, number: int) -> None:
        """Hear that the proxy listens."""
        self.enrolments.accepted(number)
        self.touched.set()

    def refused(self, number: int, reason: str) -> None:
        """Hear that it does not."""
        if self.enrolments.refused(number):
            self._leave_alone(LATER, Cause(Code.PROXY_REFUSED, f"the node's proxy refused it: {reason}"))

    def drained(self, number: int) -> None:
        """Hear that no connection of an enrolment is left, nor anybody who would take one."""
        self.enrolments.drained(number, self.presence)
        self.sweep.begin()
        self.touched.set()

    def over(self, limit: str) -> None:
        """Let a pod go that takes more than its share."""
        why = f"it exceeded its limit of {limit}; it is left alone for {BLOCKED_SECONDS / 60:.0f} minutes"
        self.let_go(why)
        self._leave_alone(BLOCKED_SECONDS, Cause(Code.OVER_LIMIT, why))

    def _leave_alone(self, seconds: float, cause: Cause) -> None:
        self._block = Block(time.time() + seconds, cause)
        self.touched.set()

    def lost_proxy(self) -> None:
        """Empty the sets: nobody listens any more."""
        self.enrolments.lost(self.presence)
        self.sweep.begin()
        self.touched.set()

    def renew(self) -> None:
        """Renew the leases; if they are gone, see what has become of the table."""
        try:
            acts = self.enrolments.renew(self.presence)
        except RuleError:
            self.touched.set()
            return
        if self._resetting and self.enrolments.acting is not None:  # it has waited for a proxy that is well
            self.touched.set()
        if acts and self.state.name is Condition.SHED:
            self._become(Condition.INTERCEPTING, Cause(Code.WANTED, self.wanted.why))

    def shed(self, why: str) -> None:
        """Lead nothing more to the proxy for now."""
        if self.enrolments.shed(self.presence):
            if self.state.name is Condition.INTERCEPTING:
                self.desk.lapsed()
            self._become(Condition.SHED, Cause(Code.PROXY_ILL, why))

    def break_carried(self) -> None:
        """Break what is open, for the proxy does not carry it any more; may be called from another thread."""
        presence = self.presence
        if presence is not None:
            self._note_unbroken(presence.break_carried())

    def broken(self) -> None:
        """Hear that what was open has been broken."""
        self.sweep.begin()
        self.touched.set()

    def _note_unbroken(self, why: str) -> None:
        if why:
            logger.warning("pod %s/%s: connections are left: %s", self.facts.namespace, self.facts.name, why)

    # -- what others see -------------------------------------------------------------------------------------------

    def existing(self) -> int:
        """Count the API connections that go past the proxy although the pod is recorded."""
        return self.visit.count_direct(self.desk.destinations) if self.enrolments.acting is not None else 0

    def _become(self, name: Condition, cause: Cause) -> None:
        if (self.state.name, self.state.cause) != (name, cause):
            self.state = State(name, cause, time.time())
            if self.presence is not None:
                self.presence.answer(self.state.answer)
            self.desk.tell(self.facts, self.state)
