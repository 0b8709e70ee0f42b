"""Hold what was recorded against the API server's own audit log, call by call.

Every event of one user must have exactly one recorded call with the same verb, path and status, and the other way
round; a call that says who made it must say so rightly. The `Audit-Id` header of the answer joins them; answers to
upgrades (101: exec, attach, port-forward) carry none and are joined by path, verb, client and time. What cannot be
joined in principle is left out by name and counted; an event is left out only for a reason that a recorded call or the
log itself gives, so a call that was simply lost stays missing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from e2e.audit_events import read_log
from e2e.recorded_calls import read_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from e2e.audit_events import AuditEvent
    from e2e.recorded_calls import RecordedCall

TOLERANCE = 5.0
"""Seconds between a call's start at the proxy and its arrival at the server; they share one clock."""
EXAMPLES = 10

BY_PROXY_ERRORS = ("upstream-error", "refused-by-proxy")
SERVICE_ACCOUNT = "system:serviceaccount:"
OWN_AGENT = "apisnoop/"
"""Before the command starts, `apisnoop run` asks for the server's version with the user's own credentials."""


class Excluded(StrEnum):
    """Why something has no counterpart and need not have one."""

    CLIENT_GONE = "the client went away before an answer"
    STILL_OPEN = "still open when the log was read"
    NOT_AUDITED = "refused before the audit"
    BY_PROXY = "answered by the proxy"
    OWN = "asked by apisnoop itself"


@dataclass(frozen=True, slots=True)
class Difference:
    """An event and its recorded call that do not say the same."""

    event: AuditEvent
    call: RecordedCall

    @property
    def fields(self) -> list[str]:
        """Name what differs."""
        return [name for name, (event, call) in self._compared().items() if event != call]

    def _compared(self) -> dict[str, tuple[object, object]]:
        """Give what the event and the call say; what the recorder could not know is not compared."""
        event, call = self.event, self.call
        compared: dict[str, tuple[object, object]] = {
            "verb": (event.verb, call.verb),
            "path": (event.path, call.path),
            "status": (event.status, call.status),
        }
        if call.user:
            compared["user"] = (event.user, call.user)
        if call.service_account:
            compared["service account"] = (_service_account(event.user), call.service_account)
        return compared

    def __str__(self) -> str:
        compared = self._compared()
        both = (f"{name} {compared[name][0]} recorded as {compared[name][1]}" for name in self.fields)
        return f"{self.event.verb} {self.event.path}: {'; '.join(both) or f'made by {self.event.user!r}'}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the calls recorded for one user compare with the audit log."""

    user: str
    events: int
    calls: int
    joined_by_id: int
    joined_by_time: int
    named: int
    """Of those joined, how many calls say who made them."""
    missing: tuple[AuditEvent, ...]
    """In the audit log, not recorded."""
    extra: tuple[RecordedCall, ...]
    """Recorded, not in the audit log."""
    different: tuple[Difference, ...]
    excluded: Mapping[Excluded, int]

    @property
    def holds(self) -> bool:
        """Tell whether everything that can be joined is joined and equal."""
        return not (self.missing or self.extra or self.different)

    def __str__(self) -> str:
        rows = [
            ("events in the API server's audit log", self.events),
            ("calls recorded", self.calls),
            ("  joined by their Audit-Id", self.joined_by_id),
            ("  upgrades joined by path, client and time", self.joined_by_time),
            ("  of these, with the user who made them", self.named),
            ("missing (audited, not recorded)", len(self.missing)),
            ("extra (recorded, not audited)", len(self.extra)),
            ("different in verb, path, status or user", len(self.different)),
            *((f"left out: {why}", self.excluded.get(why, 0)) for why in Excluded),
        ]
        lines = [f"{name:<54}{count:>9,}" for name, count in rows]
        return "\n".join([*lines, *self._examples()])

    def _examples(self) -> list[str]:
        """List the first of each fault."""
        return [
            *(
                f"missing: {one.verb} {one.path} {one.status} {one.agent} {one.audit_id}"
                for one in self.missing[:EXAMPLES]
            ),
            *(
                f"extra: {one.verb} {one.path} {one.status} {one.client} {one.audit_id}"
                for one in self.extra[:EXAMPLES]
            ),
            *(f"different: {one}" for one in self.different[:EXAMPLES]),
        ]


def join_files(audit_log: Path, calls: Path, user: str) -> Agreement:
    """Join the API server's audit log with a `--calls` file, for one user name."""
    with calls.open("rb") as recorded:
        return join(read_log(audit_log), read_calls(recorded), user)


def join(events: Iterable[AuditEvent], calls: Iterable[RecordedCall], user: str) -> Agreement:
    """Join audit events with recorded calls; events of other users only tell whose a foreign call is."""
    return _Join(list(events), list(calls), user).result()


class _Join:
    """What is not joined yet, growing smaller."""

    def __init__(self, events: list[AuditEvent], calls: list[RecordedCall], user: str) -> None:
        self._user = user
        self._events = [event for event in events if event.user == user]
        self._foreign = {event.audit_id: event for event in events if event.user != user}
        self._all_calls = len(calls)
        self._all_events = len(self._events)
        self._calls = calls
        self._by_id = self._by_time = self._named = 0
        self._different: list[Difference] = []
        self._excluded: Counter[Excluded] = Counter()

    def result(self) -> Agreement:
        """Join step by step, the surest first."""
        self._join_by_id()
        self._join_by_time()
        self._exclude(Excluded.BY_PROXY, lambda call: not call.audit_id and call.error in BY_PROXY_ERRORS)
        self._exclude(Excluded.CLIENT_GONE, lambda call: not call.audit_id and call.status == 0)
        self._exclude_not_audited()
        self._exclude_events(Excluded.STILL_OPEN, lambda event: not event.ended)
        self._exclude_events(Excluded.OWN, lambda event: event.agent.startswith(OWN_AGENT))
        return Agreement(
            self._user,
            self._all_events,
            self._all_calls,
            self._by_id,
            self._by_time,
            self._named,
            tuple(self._events),
            tuple(self._calls),
            tuple(self._different),
            dict(self._excluded),
        )

    def _join_by_id(self) -> None:
        waiting: dict[str, list[RecordedCall]] = defaultdict(list)
        for call in self._calls:
            waiting[call.audit_id].append(call)
        without_id = waiting.pop("", [])
        left = []
        for event in self._events:
            if found := waiting.get(event.audit_id):
                self._by_id += self._agree(event, found.pop(0))
            else:
                left.append(event)
        self._events = left
        self._calls = without_id
        for call in (call for rest in waiting.values() for call in rest):
            self._place_unjoined(call)

    def _join_by_time(self) -> None:
        pairs = self._pair(lambda call: call.status == 101 and not call.audit_id, same_status=True)
        self._by_time = sum(self._agree(event, call) for event, call in pairs)

    def _agree(self, event: AuditEvent, call: RecordedCall) -> bool:
        """Tell whether two that belong together say the same; keep them if they do not."""
        pair = Difference(event, call)
        if pair.fields:
            self._different.append(pair)
            return False
        self._named += bool(call.user)
        return True

    def _place_unjoined(self, call: RecordedCall) -> None:
        """Keep a call whose Audit-Id no event of the user has: it is extra, or somebody else's."""
        if foreign := self._foreign.get(call.audit_id):
            self._different.append(Difference(foreign, call))
        else:
            self._calls.append(call)

    def _pair(
        self, wanted: Callable[[RecordedCall], bool], *, same_status: bool
    ) -> list[tuple[AuditEvent, RecordedCall]]:
        """Take calls, each with an event of the same verb, path and client that arrived when it was made.

        Return those that found one another; the others stay. Earliest first on both sides, so that equal calls in a row
        each get their own event.
        """
        events: dict[tuple[str, str, str, int], list[AuditEvent]] = defaultdict(list)
        for event in sorted(self._events, key=lambda event: event.received):
            events[_kind(event.verb, event.path, event.agent, event.status if same_status else 0)].append(event)
        paired: list[tuple[AuditEvent, RecordedCall]] = []
        for call in sorted(filter(wanted, self._calls), key=lambda call: call.started):
            candidates = events[_kind(call.verb, call.path, call.client, call.status if same_status else 0)]
            match = next((event for event in candidates if _at_the_time(event, call)), None)
            if match is not None:
                candidates.remove(match)
                paired.append((match, call))
        taken = {id(one) for pair in paired for one in pair}
        self._events = [event for event in self._events if id(event) not in taken]
        self._calls = [call for call in self._calls if id(call) not in taken]
        return paired

    def _exclude(self, why: Excluded, wanted: Callable[[RecordedCall], bool]) -> None:
        """Leave calls out that never had an answer of the server, with the event of each that reached it."""
        paired = self._pair(wanted, same_status=False)
        self._excluded[why] += len(paired) + self._drop_calls(wanted)

    def _exclude_not_audited(self) -> None:
        """Leave out what was refused in front of the audit.

        That is what Go's HTTP server refuses, without an Audit-Id, and what an API server that shuts down refuses, with
        one: `WithWaitGroup` comes before `WithAudit` and after `WithAuditInit` (apiserver's DefaultBuildHandlerChain).
        """
        refused = self._drop_calls(lambda call: not call.audit_id and 400 <= call.status < 600)
        refused += self._drop_calls(lambda call: call.status == 503)
        self._excluded[Excluded.NOT_AUDITED] += refused

    def _exclude_events(self, why: Excluded, wanted: Callable[[AuditEvent], bool]) -> None:
        kept = [event for event in self._events if not wanted(event)]
        self._excluded[why] += len(self._events) - len(kept)
        self._events = kept

    def _drop_calls(self, wanted: Callable[[RecordedCall], bool]) -> int:
        kept = [call for call in self._calls if not wanted(call)]
        dropped = len(self._calls) - len(kept)
        self._calls = kept
        return dropped


def _service_account(user: str) -> str:
    """Give a user's service account as namespace/name; empty for others."""
    return user.removeprefix(SERVICE_ACCOUNT).replace(":", "/") if user.startswith(SERVICE_ACCOUNT) else ""


def _kind(verb: str, path: str, agent: str, status: int) -> tuple[str, str, str, int]:
    """Give what upgrades are told apart by; of the user agent the program's name, which is what is recorded."""
    return verb, path, agent.split("/", 1)[0].split(" ", 1)[0], status


def _at_the_time(event: AuditEvent, call: RecordedCall) -> bool:
    return call.started - TOLERANCE <= event.received <= call.started + max(call.duration, 0.0) + TOLERANCE
