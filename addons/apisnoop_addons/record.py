"""Make a `Call` of every flow: begun when its request's head is there, told to the sink when nothing more can come.

A watch that the client ends has no `response`, only an `error`; a shell goes on after its `response`. Bodies are
counted as they pass and not looked at.
"""

import time
from collections.abc import Callable

from mitmproxy.http import HTTPFlow

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.reader import Matcher
from apisnoop.calls.redaction import kept_url
from apisnoop_addons.engine.listener import Client, is_recorded
from apisnoop_addons.engine.outcome import REFUSED_BY_PROXY, outcome_of
from apisnoop_addons.engine.tunnel import TUNNEL_BYTES
from apisnoop_addons.headers import all_headers, first_header
from apisnoop_addons.identify import CALLER

_OPEN = "apisnoop.open-call"
MOST_WARNINGS = 10
LONGEST_WARNING = 500
LONGEST_AUDIT_ID = 64

type Sink = Callable[[Call], None]
"""Takes a finished call; must not block."""


class OpenCall:
    """A call that goes on: what has passed of its bodies. Its methods are mitmproxy's stream functions."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def pass_request(self, data: bytes) -> bytes:
        """Count a piece of the request's body."""
        self.sent += len(data)
        return data

    def pass_response(self, data: bytes) -> bytes:
        """Count a piece of the answer's body."""
        self.received += len(data)
        return data


class Record:
    """The addon. Behind `stream` and `identify`."""

    def __init__(self, matcher: Matcher, sink: Sink) -> None:
        self._matcher = matcher
        self._sink = sink

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Begin a call."""
        if not is_recorded(flow):
            return
        begun = flow.metadata[_OPEN] = OpenCall()
        if flow.request.stream is True:
            flow.request.stream = begun.pass_request

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Count what the answer brings."""
        begun = flow.metadata.get(_OPEN)
        if begun is not None and flow.response is not None and flow.response.stream is True:
            flow.response.stream = begun.pass_response

    def response(self, flow: HTTPFlow) -> None:
        """End a call, unless it has only just become a connection of its own."""
        if flow.response is not None and flow.response.status_code != 101:
            self._end(flow, "")

    def error(self, flow: HTTPFlow) -> None:
        """End a call that did not get a whole answer."""
        self._end(flow, outcome_of(flow) or REFUSED_BY_PROXY)

    def upgrade_end(self, flow: HTTPFlow) -> None:
        """End an upgraded call."""
        self._end(flow, "")

    def _end(self, flow: HTTPFlow, error: str) -> None:
        begun = flow.metadata.pop(_OPEN, None)
        if begun is not None and is_recorded(flow):
            self._sink(self._call_of(flow, begun, error))

    def _call_of(self, flow: HTTPFlow, begun: OpenCall, error: str) -> Call:
        request, response, tunnel = flow.request, flow.response, flow.metadata.get(TUNNEL_BYTES)
        method, path = request.method, recorded_path(flow)
        content_type = first_header(request.headers.fields, b"content-type") if method == "PATCH" else ""
        answered = response is not None and error != REFUSED_BY_PROXY
        fields = response.headers.fields if response is not None and answered else ()
        return Call(
            match=self._matcher.match(method, path, content_type),
            caller=flow.metadata.get(CALLER, _NOBODY),
            method=method,
            path=kept_url(path),
            status=response.status_code if response is not None and answered else 0,
            started=request.timestamp_start,
            duration=max(0.0, time.time() - request.timestamp_start),
            request_bytes=begun.sent + (tunnel.sent if tunnel else 0),
            response_bytes=begun.received + (tunnel.received if tunnel else 0),
            warnings=tuple(text[:LONGEST_WARNING] for text in all_headers(fields, b"warning")[:MOST_WARNINGS]),
            audit_id=first_header(fields, b"audit-id")[:LONGEST_AUDIT_ID],
            error=error,
        )


_NOBODY = Caller()


def leave_out(flow: HTTPFlow) -> None:
    """Forget a call that has begun: it will not get to the server."""
    flow.metadata.pop(_OPEN, None)


def recorded_path(flow: HTTPFlow) -> str:
    """Give a flow's path and query as they are matched: without what this server has before /api, and printable."""
    path = flow.request.data.path.decode("utf-8", "replace")
    client = flow.client_conn
    if isinstance(client, Client) and client.listener.upstream.path_prefix:
        path = path.removeprefix(client.listener.upstream.path_prefix.rstrip("/")) or "/"
    if path.isprintable():
        return path
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in path)
