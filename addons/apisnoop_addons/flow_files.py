"""mitmproxy flow files as input of `apisnoop import`: a `apisnoop.calls.reader.Reader`.

The files hold whole requests and answers, one after the other, each a tnetstring (https://tnetstrings.info). Only
what a `Call` keeps is taken from them; bodies are counted, tokens are read for their claims and dropped. Files of
older versions of mitmproxy are read as mitmproxy itself reads them.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from mitmproxy.flow import Error
from mitmproxy.http import HTTPFlow
from mitmproxy.io import compat, tnetstring

from apisnoop.calls.agent import parse_agent
from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.har import NOT_KUBERNETES, ROOTS
from apisnoop.calls.identity import caller_of
from apisnoop.calls.reader import Matcher
from apisnoop.calls.redaction import kept_url
from apisnoop.calls.tally import Loss
from apisnoop_addons.claims import NO_CLAIMS, parse_claims
from apisnoop_addons.engine.outcome import CLIENT_DISCONNECTED, UPSTREAM_ERROR
from apisnoop_addons.headers import first_header

SOURCE = "mitmproxy-flow"
BAD_FLOW = "bad-flow"
NOT_HTTP = "not-http"
TOO_LARGE = "too-large"
LARGEST = 256 * 2**20
"""Bytes of one flow; what is larger, because of the bodies in it, is skipped."""
_CHUNK = 2**20
_LONGEST_LENGTH = 12
"""Digits of a length prefix, as in mitmproxy."""
# The length of the first flow, then the length and name of its first key.
_BEGINNING = re.compile(rb"\d{1,12}:\d{1,2}:[a-z_]+[;,]")


def recognises(head: bytes) -> bool:
    """Tell whether an input begins like a flow file."""
    return _BEGINNING.match(head) is not None


def read(stream: BinaryIO, matcher: Matcher) -> Iterator[Call | Loss]:
    """Give the call of each flow, or why it is none. Raises ValueError where the rest of the file cannot be read."""
    while (length := _read_length(stream)) is not None:
        if length > LARGEST:
            _skip(stream, length + 1)
            yield Loss(SOURCE, TOO_LARGE)
        else:
            content = _read_exactly(stream, length + 1)
            yield _call_or_loss(b"%d:%b" % (length, content), matcher)


def call_of_flow(flow: HTTPFlow, matcher: Matcher) -> Call | Loss:
    """Make the call of an HTTP flow, unless it is none to a Kubernetes API."""
    request, response = flow.request, flow.response
    path = request.data.path.decode("utf-8", "replace")
    match = matcher.match(request.method, path, first_header(request.headers.fields, b"content-type"))
    if match.operation is None and ROOTS.isdisjoint(path.partition("?")[0].split("/")[1:2]):
        return Loss(SOURCE, NOT_KUBERNETES)
    status = response.status_code if response else 0
    answered = response.headers.fields if response else ()
    return Call(
        match=match,
        caller=_caller(flow, status),
        method=request.method,
        path=kept_url(path),
        status=status,
        started=request.timestamp_start,
        duration=_duration(flow),
        request_bytes=len(request.raw_content or b""),
        response_bytes=len(response.raw_content or b"") if response else 0,
        audit_id=first_header(answered, b"audit-id"),
        error=_error(flow.error),
    )


def _call_or_loss(text: bytes, matcher: Matcher) -> Call | Loss:
    try:
        state: Any = tnetstring.loads(text)
        state = compat.migrate_flow(state)
        if state["type"] != "http":
            return Loss(SOURCE, NOT_HTTP)
        return call_of_flow(cast("HTTPFlow", HTTPFlow.from_state(state)), matcher)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return Loss(SOURCE, BAD_FLOW)


def _caller(flow: HTTPFlow, status: int) -> Caller:
    fields = flow.request.headers.fields
    # What a token claims is true when the server has taken it.
    claims = parse_claims(first_header(fields, b"authorization")) if status not in {0, 401} else NO_CLAIMS
    agent = parse_agent(first_header(fields, b"user-agent"))
    return caller_of(claims.user, agent, pod=claims.pod, pod_uid=claims.pod_uid, node=claims.node)


def _duration(flow: HTTPFlow) -> float:
    ends = (flow.response.timestamp_end if flow.response else None, flow.error.timestamp if flow.error else None)
    return max(0.0, max((end for end in ends if end), default=0.0) - flow.request.timestamp_start)


def _error(error: Error | None) -> str:
    if error is None:
        return ""
    return CLIENT_DISCONNECTED if "client disconnected" in error.msg.lower() else UPSTREAM_ERROR


def _read_length(stream: BinaryIO) -> int | None:
    digits = b""
    while (character := stream.read(1)).isdigit() and len(digits) < _LONGEST_LENGTH:
        digits += character
    if not digits and not character:
        return None
    if not character:
        raise ValueError("the file ends in the middle of a flow")
    if character != b":" or not digits:
        raise ValueError("what follows is no flow: the file is damaged")
    return int(digits)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    pieces = []
    while size > 0:
        piece = stream.read(min(size, _CHUNK))
        if not piece:
            raise ValueError("the file ends in the middle of a flow")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _skip(stream: BinaryIO, size: int) -> None:
    while size > 0:
        piece = stream.read(min(size, _CHUNK))
        if not piece:
            raise ValueError("the file ends in the middle of a flow")
        size -= len(piece)
