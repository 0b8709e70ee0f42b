"""Counting audit events into tallies: the hot path of `apisnoop import`.

Works on blocks of whole lines and knows nothing of files. What it has counted is taken away as one value, so that a
process of its own can count and hand over.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from apisnoop.calls.agent import Agent, parse_agent
from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON, events_in, events_in_line, events_in_value
from apisnoop.calls.audit.event import (
    COMPLETE,
    PANIC,
    STAGES,
    STARTED,
    Extra,
    Record,
    Time,
    User,
    decoder,
    user_decoder,
)
from apisnoop.calls.audit.tracking import LONGEST_ID, Access, Beginning, Stretch
from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.identity import caller_of
from apisnoop.calls.masking import shape_of
from apisnoop.calls.reader import Matcher
from apisnoop.calls.tally import LONGEST_NAME, LONGEST_NAMESPACE, OTHER, Cells, TallyBatch
from apisnoop.decoding import decoder_of

REMEMBERED = 20_000
"""Callers and agents remembered between events; when full, all are forgotten, which costs time only."""
SUCCESS, FAILURE = 100, 400
"""The first HTTP status that is a success (an upgrade's 101 among them), and the first after those that is none."""
TOO_LONG = "too-long"
VERBS = frozenset(
    {
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "post",
        "put",
        "head",
        "options",
    }
)
"""Verbs by which unfinished requests are told apart; a client may send any method."""
_time_decoder = decoder_of(Time)


class Place(NamedTuple):
    """Where a record lies."""

    block: int
    line: int
    """Lines before it in its block."""


class BadRecord(NamedTuple):
    """The first record of a kind that could not be counted: where it is and what it looks like."""

    block: int
    line: int
    """Lines before it in its block."""
    size: int
    """Bytes."""
    shape: str
    """Its beginning, masked: see `shape_of`."""


class Counted(NamedTuple):
    """What was counted since the last time."""

    batch: TallyBatch
    stretch: Stretch
    lines: dict[int, int]
    """Lines of each block."""
    bad: dict[str, int]
    """How many records were not counted, by reason."""
    examples: dict[str, BadRecord]
    """The first of each reason."""
    stages: int
    """Events of requests that had not ended; the last of a request counts, these are for the watches still open."""
    duplicates: int
    """Events whose audit id had been counted before."""
    blank: int
    """Lines with nothing in them."""


class AuditCounter:
    """Counts events of one log. `is_new` tells whether an event with this audit id has not been counted before."""

    def __init__(self, matcher: Matcher, is_new: Callable[[str], bool] | None = None) -> None:
        self._match = matcher.match_audit
        self._is_new = is_new
        self._agents: dict[str, Agent] = {}
        self._callers: dict[tuple[bytes, str], Cells] = {}
        self._reset()

    def _reset(self) -> None:
        self._callers.clear()  # its values belong to the batch
        self.batch = TallyBatch()
        self._stretch = Stretch()
        self._lines: dict[int, int] = {}
        self._bad: dict[str, int] = {}
        self._examples: dict[str, BadRecord] = {}
        self._stages = self._duplicates = self._blank = 0

    def take(self) -> Counted:
        """Give what was counted and begin anew."""
        counted = Counted(
            self.batch,
            self._stretch,
            self._lines,
            self._bad,
            self._examples,
            self._stages,
            self._duplicates,
            self._blank,
        )
        self._reset()
        return counted

    @property
    def size(self) -> int:
        """Tallies and beginnings held, which is what takes memory."""
        return self.batch.size + len(self._stretch.begun)

    def count_block(self, block: bytes, number: int = 0) -> None:
        """Count the events of a block of whole lines; blocks of one log have different numbers."""
        before, size = self._lines.get(number, 0), block.count(b"\n")
        try:
            records = decoder.decode_lines(block)
        except msgspec.DecodeError:
            records = []
        if len(records) == size:
            self._count_records(records, block, number, before)
        else:  # a line is no JSON, or empty, or holds more than one value
            self._count_lines(block, number, before)
        self._lines[number] = before + size

    def _count_lines(self, block: bytes, number: int, before: int) -> None:
        for index, line in enumerate(block.removesuffix(b"\n").split(b"\n")):
            if line.strip():
                self._count_found(events_in_line(line), Place(number, before + index), line)
            else:
                self._blank += 1

    def _count_records(self, records: list[Record], block: bytes, number: int, before: int) -> None:
        odd = self._count_events(records)
        if odd:
            lines = block.split(b"\n")
            indexes = {id(record): index for index, record in enumerate(records)}
            for record in odd:
                index = indexes[id(record)]
                self._count_found(events_in(record), Place(number, before + index), lines[index])

    def skip_line(self, size: int = 0, number: int = 0) -> None:
        """Note a line that was too long to be read."""
        self._note(TOO_LONG, self._next_place(number), b"", size)

    def count_last_line(self, line: bytes, number: int) -> bool:
        """Count a line without an end; tell whether it was complete."""
        found = list(events_in_line(line))
        if not found or NOT_JSON in found:
            return False
        self._count_found(iter(found), self._next_place(number), line)
        return True

    def count_value(self, value: bytes) -> None:
        """Count the events in one JSON value, the next record of an input that is not read by lines."""
        self._count_found(events_in_value(value), self._next_place(), value)

    def count_call(self, call: Call) -> None:
        """Count a call that another reader made, the next record of its input."""
        self._next_place()
        if self._is_new is None or self._is_new(call.audit_id):
            self.batch.add(call)
        else:
            self._duplicates += 1

    def note_record(self, reason: str, record: bytes) -> None:
        """Note that the next record of the input is no call."""
        self._note(reason, self._next_place(), record)

    def _next_place(self, number: int = 0) -> Place:
        index = self._lines.get(number, 0)
        self._lines[number] = index + 1
        return Place(number, index)

    def _count_found(self, found: Iterator[Record | str], place: Place, record: bytes) -> None:
        events = []
        for event in found:
            if isinstance(event, str):
                self._note(event, place, record)
            else:
                events.append(event)
        for _ in self._count_events(events):  # of a stage that no Kubernetes knows
            self._note(NOT_AUDIT, place, record)

    def _note(self, reason: str, place: Place, record: bytes, size: int = 0) -> None:
        self._bad[reason] = self._bad.get(reason, 0) + 1
        if reason not in self._examples:
            self._examples[reason] = BadRecord(*place, size or len(record), shape_of(record))

    def _count_events(self, events: Iterable[Record]) -> list[Record]:
        """Count all events among these records and give back the records that are none. Runs once a line of a log."""
        match, count, known, is_new = self._match, self.batch.count_cell, self._callers, self._is_new
        begin, begun, end = self._begin, self._stretch.begun, self._stretch.ended.append
        odd = []
        for event in events:
            stage = event.stage
            if stage != COMPLETE and stage != PANIC:  # noqa: PLR1714 - runs once a line of a log, and is quicker so
                if stage in STAGES:
                    begin(event)
                else:
                    odd.append(event)
                continue
            key = hash(event.auditID)
            if key in begun:
                del begun[key]
            end(key)  # in any case: another stage of the request may have been met by another worker
            if is_new is not None and not is_new(event.auditID):
                self._duplicates += 1
                continue
            user = bytes(event.impersonatedUser or event.user)
            cells = known.get((user, event.userAgent))
            if cells is None:
                cells = self._cells_of(user, event.userAgent)
            received, finished, status = event.requestReceivedTimestamp, event.stageTimestamp, event.responseStatus
            count(
                cells,
                match(event.verb, event.requestURI),
                0 if status is None else status.code,
                _started(event) if received is None else received.timestamp(),
                None if received is None or finished is None else (finished - received).total_seconds(),
            )
        return odd

    def _begin(self, event: Record) -> None:
        """Note that a request began; of one whose answer began too, also what it does."""
        self._stages += 1
        key = hash(event.auditID)
        if event.stage == STARTED:
            self._stretch.begun[key] = _beginning_of(event, self._access_of(event))
        elif key not in self._stretch.begun:
            self._stretch.begun[key] = _beginning_of(event)

    def _access_of(self, event: Record) -> Access | None:
        """Give what a request does whose answer has begun, if that is no refusal or failure."""
        if event.responseStatus is None or not SUCCESS <= event.responseStatus.code < FAILURE:
            return None
        match = self._match(event.verb, event.requestURI)
        return Access(
            target=match.target,
            caller=_caller_of(bytes(event.impersonatedUser or event.user), self._agent_of(event.userAgent)),
            verb=match.verb,
            detail=match.detail,
            namespace=match.namespace if len(match.namespace) <= LONGEST_NAMESPACE else OTHER,
            name=match.name if len(match.name) <= LONGEST_NAME else OTHER,
        )

    def _cells_of(self, user: bytes, user_agent: str) -> Cells:
        if len(self._callers) >= REMEMBERED:
            self._callers.clear()
        caller = _caller_of(user, self._agent_of(user_agent))
        cells = self._callers[user, user_agent] = self.batch.cells_of(caller)
        return cells

    def _agent_of(self, user_agent: str) -> Agent:
        agent = self._agents.get(user_agent)
        if agent is None:
            if len(self._agents) >= REMEMBERED:
                self._agents.clear()
            agent = self._agents[user_agent] = parse_agent(user_agent)
        return agent


def _caller_of(encoded: bytes, agent: Agent) -> Caller:
    """Make the caller of an event; what is no user as documented is unknown."""
    try:
        user = user_decoder.decode(encoded)
    except msgspec.DecodeError:
        user = User()
    extra = user.extra or Extra()
    return caller_of(
        user.username,
        agent,
        pod=next(iter(extra.pod), ""),
        pod_uid=next(iter(extra.pod_uid), ""),
        node=next(iter(extra.node), ""),
    )


def _beginning_of(event: Record, access: Access | None = None) -> Beginning:
    verb = event.verb if event.verb in VERBS else OTHER
    return Beginning(event.auditID[:LONGEST_ID], verb, event.stage, _started(event), access)


def _started(event: Record) -> float:
    """Give when a request began, as well as its event tells: epoch seconds, or zero."""
    if event.requestReceivedTimestamp is not None:
        return event.requestReceivedTimestamp.timestamp()
    try:
        written = _time_decoder.decode(event.timestamp) if event.timestamp else event.stageTimestamp
    except msgspec.DecodeError:
        written = event.stageTimestamp
    return written.timestamp() if written is not None else 0.0
