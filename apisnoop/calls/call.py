"""The call: one request to the Kubernetes API with its caller and outcome. Every source makes these."""

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.operations.match import Match


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call. Times are seconds since the epoch (UTC) and seconds; sizes are bytes of the bodies."""

    match: Match
    caller: Caller
    method: str
    path: str
    """Path with the query keys of the allow-list (apisnoop.calls.redaction); never a whole query."""
    status: int
    """HTTP status; 0 where the client went away before an answer."""
    started: float
    duration: float
    request_bytes: int = 0
    response_bytes: int = 0
    warnings: tuple[str, ...] = ()
    audit_id: str = ""
    """The server's Audit-Id response header; empty for upgrades."""
    error: str = ""
    """Why no complete answer was seen: client-disconnected, upstream-error or refused-by-proxy; empty otherwise."""
