"""A call as one line of JSON, for `--calls FILE` and for joining with the API server's own log.

The keys are documented in docs/formats.md. What is empty or unknown is left out, so a key that is there says something.
"""

from datetime import UTC, datetime

import msgspec

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller

UNKNOWN = Caller()
_encoder = msgspec.json.Encoder()


class CallerPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """The caller in a line; the fields of `Caller`."""

    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    workload: str = ""
    service_account: str = ""
    user: str = ""
    client: str = ""
    client_version: str = ""
    component: str = ""
    test: str = ""


class CallLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. Times are RFC 3339 in UTC, durations seconds, sizes bytes."""

    time: str
    method: str
    path: str
    status: int = -1
    """0: no answer was seen."""
    duration: float = -1.0
    verb: str = ""
    detail: str = ""
    operation: str = ""
    finding: str = ""
    template: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    kind: str = ""
    level: str = ""
    deprecated: bool = False
    reason: str = ""
    request_bytes: int = 0
    response_bytes: int = 0
    warnings: tuple[str, ...] = ()
    audit_id: str = ""
    error: str = ""
    caller: CallerPart | None = None


def encode_call(call: Call) -> bytes:
    """Write a call as one line of JSON, line feed included."""
    match, operation = call.match, call.match.operation
    line = CallLine(
        time=datetime.fromtimestamp(call.started, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        method=call.method,
        path=call.path,
        status=call.status,
        duration=round(call.duration, 6),
        verb=match.verb,
        detail=match.detail,
        operation=operation.id if operation else "",
        finding=match.finding.value if match.finding else "",
        template=match.template,
        group=match.group,
        version=match.version,
        resource=match.resource,
        subresource=match.subresource,
        namespace=match.namespace,
        name=match.name,
        kind=operation.kind if operation else "",
        level=operation.level.value if operation else "",
        deprecated=bool(operation and operation.deprecated),
        reason=match.reason,
        request_bytes=call.request_bytes,
        response_bytes=call.response_bytes,
        warnings=call.warnings,
        audit_id=call.audit_id,
        error=call.error,
        caller=CallerPart(*msgspec.structs.astuple(call.caller)) if call.caller != UNKNOWN else None,
    )
    return _encoder.encode(line) + b"\n"
