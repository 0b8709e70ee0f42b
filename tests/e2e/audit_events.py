"""Read the API server's audit log into one value a request: the ground truth for what was recorded.

It is read here independently of apisnoop's own importer, so that the two cannot share a mistake.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import msgspec

ENDED = ("ResponseComplete", "Panic")


class AuditEvent(msgspec.Struct, frozen=True):
    """One request as the API server saw it."""

    audit_id: str
    user: str
    """In whose name: the impersonated user where there is one."""
    verb: str
    path: str
    """Decoded, without the query."""
    status: int
    """0 while no answer has begun."""
    agent: str
    received: float
    """Seconds since the epoch."""
    ended: bool
    """False for a request that was still being served when the log was read, such as an open watch."""
    pod: str = ""
    """Name of the pod that the token was made for, if it was made for one."""
    sources: tuple[str, ...] = ()
    """Addresses that the request came from."""


class _Extra(msgspec.Struct):
    """What a token says beside the user, see https://kep.k8s.io/4193 ."""

    pod: tuple[str, ...] = msgspec.field(name="authentication.kubernetes.io/pod-name", default=())


class _User(msgspec.Struct):
    username: str = ""
    extra: _Extra = msgspec.field(default_factory=_Extra)


class _Status(msgspec.Struct):
    code: int = 0


class _Line(msgspec.Struct, rename="camel"):
    """What is needed of a line, see https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ ."""

    audit_id: str = msgspec.field(name="auditID")
    stage: str
    request_uri: str = msgspec.field(name="requestURI")
    verb: str
    request_received_timestamp: datetime
    user: _User = msgspec.field(default_factory=_User)
    impersonated_user: _User | None = None
    user_agent: str = ""
    source_ips: tuple[str, ...] = msgspec.field(name="sourceIPs", default=())
    response_status: _Status = msgspec.field(default_factory=_Status)


_decoder = msgspec.json.Decoder(_Line)


def read_events(lines: Iterable[bytes]) -> list[AuditEvent]:
    """Give the requests of an audit log (JSON lines) in the order in which they first appear.

    A request has a line per stage; the last stage tells the outcome. Two ends of one request are two events: the server
    never does that, and a join that hid it would hide a mistake. Raises msgspec.DecodeError for a line that is none.
    """
    stages: dict[str, list[_Line]] = {}
    for text in lines:
        line = _decoder.decode(text)
        stages.setdefault(line.audit_id, []).append(line)
    return [_event(line) for request in stages.values() for line in _outcomes(request)]


def read_log(path: Path) -> list[AuditEvent]:
    """Read the log of a server that may be writing it: a last line without its end is not there yet."""
    return read_events(path.read_bytes().rpartition(b"\n")[0].splitlines())


def _outcomes(request: list[_Line]) -> list[_Line]:
    return [line for line in request if line.stage in ENDED] or request[-1:]


def _event(line: _Line) -> AuditEvent:
    return AuditEvent(
        audit_id=line.audit_id,
        user=(line.impersonated_user or line.user).username,
        verb=line.verb,
        path=unquote(line.request_uri.split("?", 1)[0]),
        status=line.response_status.code,
        agent=line.user_agent,
        received=line.request_received_timestamp.timestamp(),
        ended=line.stage in ENDED,
        pod="".join(line.user.extra.pod),
        sources=line.source_ips,
    )
