"""What the node's proxy says of each call as it is made, and how that compares with the API server's audit log."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from e2e.audit_events import read_log
from e2e.audit_join import join
from e2e.recorded_calls import RecordedCall, read_calls
from e2e.settled import wait_until_settled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from e2e.audit_events import AuditEvent
    from e2e.audit_join import Agreement
    from tests.inside.installation import Installation

PATIENCE = 10.0
PAUSE = 0.1


class _Who(msgspec.Struct, frozen=True):
    node: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    workload: str = ""
    service_account: str = ""
    client: str = ""
    component: str = ""


class _Line(msgspec.Struct, frozen=True):
    caller: _Who = _Who()


@dataclass(frozen=True, slots=True)
class Seen:
    """One recorded call and who is said to have made it."""

    call: RecordedCall
    who: _Who


_decoder = msgspec.json.Decoder(_Line)


def seen_in(lines: Sequence[bytes], namespace: str) -> list[Seen]:
    """Read a stream's lines, and give the calls of the pods of a namespace."""
    both = zip(read_calls(lines), map(_decoder.decode, lines), strict=True)
    return [Seen(call, line.caller) for call, line in both if line.caller.namespace == namespace]


class Tap:
    """Listens to the proxy's stream of calls from `__enter__` to `__exit__`."""

    def __init__(self, installation: Installation) -> None:
        self._connection = installation.connect()
        self._lines: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._connection.request("GET", "/calls")
        self._answer = self._connection.getresponse()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._connection.sock.shutdown(2)
        self._thread.join(10)
        self._connection.close()

    def seen(self, namespace: str) -> list[Seen]:
        """Give the calls so far of the pods of a namespace."""
        return seen_in(list(self._lines), namespace)

    def lines(self) -> bytes:
        """Give all that has been said."""
        return b"".join(self._lines)

    def _listen(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._answer:
                self._lines.append(line)


@dataclass(frozen=True, slots=True)
class Truth:
    """Recorded calls beside the audit log's events of the same service account."""

    agreement: Agreement
    events: dict[str, AuditEvent]
    """By Audit-Id."""
    seen: list[Seen]

    def wrongly_attributed(self, containers: dict[str, str]) -> list[tuple[Seen, AuditEvent]]:
        """List the calls whose pod, service account or container is not the audit log's.

        The log knows pod and account. Of the container it knows the user agent; `containers` says what the agents of
        each contain.
        """
        joined = [(one, self.events[one.call.audit_id]) for one in self.seen if one.call.audit_id in self.events]
        return [(one, event) for one, event in joined if not _agrees(one, event, containers)]


def _agrees(one: Seen, event: AuditEvent, containers: dict[str, str]) -> bool:
    _, _, namespace, account = event.user.split(":")
    expected = containers.get(one.who.container)
    return (
        one.who.pod == event.pod
        and one.who.service_account == f"{namespace}/{account}"
        and expected is not None
        and expected in event.agent
    )


def compare(audit_log: Path, tap: Tap, user: str, *, since: float = 0.0) -> Truth:
    """Join what a service account has asked since a moment, when all of it has been answered and recorded.

    A call is recorded a moment after its end was audited, so a disagreement is looked at again for a while.
    """
    namespace = user.split(":")[2]
    wait_until_settled(audit_log, user)
    deadline = time.monotonic() + PATIENCE
    while True:
        events = [event for event in read_log(audit_log) if event.user != user or event.received >= since]
        seen = tap.seen(namespace)
        agreement = join(events, [one.call for one in seen], user)
        if agreement.holds or time.monotonic() > deadline:
            of_user = {event.audit_id: event for event in events if event.user == user}
            return Truth(agreement, of_user, seen)
        time.sleep(PAUSE)
