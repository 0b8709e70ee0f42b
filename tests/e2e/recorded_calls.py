"""Read the lines that `apisnoop run --calls FILE` wrote, as a user of that file would."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import unquote

import msgspec


class RecordedCall(msgspec.Struct, frozen=True):
    """One call as it was recorded; only what the join needs."""

    verb: str
    path: str
    """Decoded, without the query."""
    status: int
    """0 where no answer was seen."""
    started: float
    """Seconds since the epoch."""
    duration: float
    client: str
    """Program name from the user agent."""
    user: str = ""
    """Empty where the recorder could not know."""
    service_account: str = ""
    """namespace/name, and likewise."""
    audit_id: str = ""
    error: str = ""


class _Caller(msgspec.Struct):
    user: str = ""
    service_account: str = ""
    client: str = ""


class _Line(msgspec.Struct):
    time: datetime
    path: str
    verb: str = ""
    status: int = -1
    duration: float = 0.0
    audit_id: str = ""
    error: str = ""
    caller: _Caller = msgspec.field(default_factory=_Caller)


_decoder = msgspec.json.Decoder(_Line)


def read_calls(lines: Iterable[bytes]) -> list[RecordedCall]:
    """Give the calls of a `--calls` file in its order. Raises msgspec.DecodeError for a line that is none."""
    return [_call(_decoder.decode(line)) for line in lines]


def _call(line: _Line) -> RecordedCall:
    return RecordedCall(
        verb=line.verb,
        path=unquote(line.path.split("?", 1)[0]),
        status=line.status,
        started=line.time.timestamp(),
        duration=line.duration,
        client=line.caller.client,
        user=line.caller.user,
        service_account=line.caller.service_account,
        audit_id=line.audit_id,
        error=line.error,
    )
