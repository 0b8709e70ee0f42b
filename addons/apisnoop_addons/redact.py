"""Make copies of flows that may be shown: what is in them is on a list of what may be kept; nothing is taken out.

The flow that passes the proxy is never changed. A copy holds no body (see `bodies`), no credential, no query key whose
meaning is not known, and of the headers only those that say how a call was made, not what was in it.
"""

import re
import time
from collections.abc import Callable, Iterable

from mitmproxy import connection, flow, http
from mitmproxy.proxy.mode_specs import ProxyMode

from apisnoop.calls.caller import Caller
from apisnoop.calls.redaction import kept_url
from apisnoop_addons.bodies import kept_bodies
from apisnoop_addons.engine.listener import is_recorded
from apisnoop_addons.engine.messages import make_headers
from apisnoop_addons.engine.outcome import REFUSED_BY_PROXY, outcome_of
from apisnoop_addons.identify import CALLER
from apisnoop_addons.record import recorded_path

KEPT_REQUEST_HEADERS = frozenset(
    {
        b"accept", b"accept-encoding", b"connection", b"content-encoding", b"content-length", b"content-type",
        b"kubectl-command", b"transfer-encoding", b"upgrade", b"user-agent", b"x-stream-protocol-version",
    }
)  # fmt: skip
KEPT_RESPONSE_HEADERS = frozenset(
    {
        b"audit-id", b"cache-control", b"connection", b"content-encoding", b"content-length", b"content-type", b"date",
        b"retry-after", b"transfer-encoding", b"upgrade", b"warning", b"x-kubernetes-pf-flowschema-uid",
        b"x-kubernetes-pf-prioritylevel-uid", b"x-stream-protocol-version",
    }
)  # fmt: skip
LONGEST_VALUE = 1000
UPGRADED = 101

type Feed = Callable[[http.HTTPFlow], None]
"""Takes a copy. A later one of the same call has the same id and takes its place."""


type Wanted = Callable[[http.HTTPFlow], bool]
"""Asked before a copy is made, which takes longer than recording the call."""

MARKS = {"watch": ":eyes:", "upgrade": ":electric_plug:"}
"""Markers of calls that go on: what mitmweb shows before the path, and finds with `~marker eyes`."""
_WATCHING = re.compile(r"[?&]watch=(?:1|t|T|true|True|TRUE)(?:&|$)|^/(?:api|apis/[^/]+)/[^/]+/watch/")


def _always(_flow: http.HTTPFlow) -> bool:
    return True


class Redact:
    """The addon. Behind `record`. Feeds a copy of each call when its answer begins and when it is over."""

    def __init__(self, feed: Feed, wanted: Wanted = _always) -> None:
        self._feed = feed
        self._wanted = wanted

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Show a call that may go on for long."""
        self._show(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        """Show how a call went."""
        self._show(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Show a call that was cut short."""
        self._show(flow)

    def upgrade_end(self, flow: http.HTTPFlow) -> None:
        """Show that an upgraded connection is over."""
        self._show(flow)

    def _show(self, flow: http.HTTPFlow) -> None:
        if is_recorded(flow) and self._wanted(flow):
            self._feed(redacted_copy(flow))


def redacted_copy(original: http.HTTPFlow) -> http.HTTPFlow:
    """Make the copy of a flow that may leave this process; `get_state` of it can be written to a flow file."""
    copy = http.HTTPFlow(_client(original.client_conn), _server(original.server_conn))
    copy.id = original.id
    copy.timestamp_created = original.timestamp_created
    request_body, response_body = kept_bodies(original)
    copy.request = _request(original, request_body)
    if original.error is not None:
        copy.error = flow.Error(outcome_of(original) or REFUSED_BY_PROXY, original.error.timestamp)
    if original.response is not None:
        copy.response = _response(original.response, _end(original, original.response), response_body)
        copy.marked = mark_of(copy.request.path, copy.response.status_code)
    caller = original.metadata.get(CALLER)
    if isinstance(caller, Caller):
        copy.comment = describe(caller)
    return copy


def describe(caller: Caller) -> str:
    """Name a caller in one line, as the list of flows shows it; an empty string if nothing is known."""
    pod = "/".join(filter(None, (caller.namespace, caller.pod)))
    parts = (f"pod {pod}" if caller.pod else "", caller.container, caller.service_account or caller.user, caller.client)
    return ", ".join(filter(None, parts))


def mark_of(path: str, status: int) -> str:
    """Give the marker of a call that goes on after its answer has begun, else an empty string."""
    if status == UPGRADED:
        return MARKS["upgrade"]
    return MARKS["watch"] if status == 200 and _WATCHING.search(path) else ""


def _request(original: http.HTTPFlow, body: bytes | None) -> http.Request:
    request, server = original.request, original.server_conn.address or ("", 0)
    return http.Request(
        host=server[0],
        port=server[1],
        method=request.data.method,
        scheme=b"https" if original.server_conn.tls else b"http",
        authority=b"",
        path=kept_url(recorded_path(original)).encode(),
        http_version=request.data.http_version,
        headers=_keep(request.data.headers.fields, KEPT_REQUEST_HEADERS),
        content=body,
        trailers=None,
        timestamp_start=request.timestamp_start,
        timestamp_end=request.timestamp_end,
    )


def _response(response: http.Response, end: float | None, body: bytes | None) -> http.Response:
    return http.Response(
        http_version=response.data.http_version,
        status_code=response.status_code,
        reason=b"",
        headers=_keep(response.data.headers.fields, KEPT_RESPONSE_HEADERS),
        content=body,
        trailers=None,
        timestamp_start=response.timestamp_start,
        timestamp_end=end,
    )


def _end(original: http.HTTPFlow, response: http.Response) -> float | None:
    """Tell when an answer was over; None while it goes on. An upgrade's is over when its connection is."""
    if response.status_code == UPGRADED:
        return None if original.live else time.time()
    if response.timestamp_end is None and original.error is not None:
        return original.error.timestamp
    return response.timestamp_end


def _keep(fields: Iterable[tuple[bytes, bytes]], kept: frozenset[bytes]) -> http.Headers:
    return make_headers((name, value[:LONGEST_VALUE]) for name, value in fields if name.lower() in kept)


def _client(original: connection.Client) -> connection.Client:
    return connection.Client(
        peername=original.peername,
        sockname=original.sockname,
        timestamp_start=original.timestamp_start,
        tls=original.tls,
        alpn=original.alpn,
        tls_version=original.tls_version,
        proxy_mode=ProxyMode.parse("regular"),
    )


def _server(original: connection.Server) -> connection.Server:
    return connection.Server(
        address=original.address,
        peername=original.peername,
        timestamp_start=original.timestamp_start or time.time(),
        tls=original.tls,
        alpn=original.alpn,
        tls_version=original.tls_version,
    )
