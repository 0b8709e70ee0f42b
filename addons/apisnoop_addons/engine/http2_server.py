"""HTTP/2 towards a client."""

from typing import ClassVar

from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, TrailersReceived
from h2.events import StreamReset as H2StreamReset
from h2.exceptions import ProtocolError, TooManyStreamsError
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http2 import StreamState, normalize_h1_headers

from apisnoop_addons.engine.http2 import Http2, Receivers, configuration
from apisnoop_addons.engine.http_events import Break, StreamReset, UpstreamFailed
from apisnoop_addons.engine.limits import MAX_STREAMS
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.engine.messages import make_headers, make_request


class Http2Server(Http2):
    """All calls of a client that speaks HTTP/2."""

    h2_conf = configuration(client_side=False)
    ReceiveProtocolError = RequestProtocolError
    ReceiveData = RequestData
    ReceiveTrailers = RequestTrailers
    ReceiveEndOfMessage = RequestEndOfMessage
    to_client = True

    def __init__(self, context: Context) -> None:
        super().__init__(context, context.client)
        assert isinstance(context.client, Client)
        self.h2_conn.limit_streams(context.client.listener.limits.streams or MAX_STREAMS)
        self._heads: dict[int, int] = {}
        """Bytes of the heads of calls that are open, by stream."""

    def held(self) -> int:
        """Count also heads, which are kept as long as their calls are open."""
        return super().held() + sum(self._heads.values())

    def refused(self, error: ProtocolError) -> None:
        """Tell of a client that opens more streams than it may."""
        if isinstance(error, TooManyStreamsError):
            assert isinstance(self.conn, Client)
            self.conn.over_limit("streams")

    def receive_request(self, event: RequestReceived) -> CommandGenerator[None]:
        """Begin a call."""
        pseudo, start = {}, 0
        for name, value in event.headers:
            if not name.startswith(b":"):
                break
            pseudo[name] = value
            start += 1
        try:
            method, scheme, path = pseudo[b":method"], pseudo[b":scheme"], pseudo[b":path"]
        except KeyError:  # CONNECT, or nothing that is HTTP
            yield from self._reset(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        headers = make_headers(event.headers[start:])
        request = make_request(method, scheme, pseudo.get(b":authority", b""), path, b"HTTP/2.0", headers)
        self.streams[event.stream_id] = StreamState.HEADERS_RECEIVED
        self._heads[event.stream_id] = sum(len(name) + len(value) for name, value in event.headers)
        yield ReceiveHttp(RequestHeaders(event.stream_id, request, end_stream=event.stream_ended is not None))

    def receive_reset(self, event: H2StreamReset) -> CommandGenerator[None]:
        """End a call that the client does not want any more."""
        if event.stream_id in self.streams:
            yield ReceiveHttp(RequestProtocolError(event.stream_id, "stream reset by client", ErrorCode.CANCEL))
            yield from self._forget(event.stream_id)

    def _forget(self, stream_id: int) -> CommandGenerator[None]:
        self._heads.pop(stream_id, None)
        yield from super()._forget(stream_id)

    def _send(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, ResponseHeaders):
            if self.h2_conn.is_writable(event.stream_id):
                self._send_head(event)
        elif isinstance(event, ResponseProtocolError):
            yield from self._fail(event)
        else:
            yield from super()._send(event)

    def _send_head(self, event: ResponseHeaders) -> None:
        if event.response.status_code < 200:
            self.h2_conn.send_headers(event.stream_id, _fields(event))
        else:
            self.h2_conn.send_message_head(event.stream_id, _fields(event), end_stream=event.end_stream)

    def _fail(self, event: ResponseProtocolError) -> CommandGenerator[None]:
        code: int = ErrorCodes.INTERNAL_ERROR
        if isinstance(event, StreamReset):
            code = event.h2_code
        elif isinstance(event, UpstreamFailed) and event.unprocessed:
            code = ErrorCodes.REFUSED_STREAM  # clients send such a call again by themselves
        elif isinstance(event, UpstreamFailed) and event.alone:
            yield Break(self.conn)
            return
        elif event.code is ErrorCode.REQUEST_VALIDATION_FAILED:
            code = ErrorCodes.PROTOCOL_ERROR
        yield from self._reset(event.stream_id, code)

    receivers: ClassVar[Receivers] = {
        RequestReceived: receive_request,
        DataReceived: Http2.receive_body,
        TrailersReceived: Http2.receive_trailers,
        StreamEnded: Http2.receive_end,
        H2StreamReset: receive_reset,
    }
    """A GOAWAY is only a client's farewell: its calls go on, and it closes when they are done."""


def _fields(event: ResponseHeaders) -> list[tuple[bytes, bytes]]:
    response = event.response
    fields = [(b":status", b"%d" % response.status_code), *response.headers.fields]
    return fields if response.is_http2 else normalize_h1_headers(fields, is_client=False)
