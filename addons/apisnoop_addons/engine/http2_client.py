"""HTTP/2 towards the server.

- A GOAWAY drains: calls the server works on finish here; calls it has not looked at are given back, to be sent again
  over another connection (RFC 9113 section 6.8). mitmproxy ends them all.
- A server that stays silent is asked (PING), and given up if it does not answer, after the times of client-go.
"""

import time
from typing import ClassVar

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    TrailersReceived,
)
from h2.events import StreamReset as H2StreamReset
from h2.exceptions import TooManyStreamsError
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http2 import StreamState

from apisnoop_addons.engine.http2 import Http2, Receivers, configuration
from apisnoop_addons.engine.http_events import Sent, StreamReset, UpstreamFailed
from apisnoop_addons.engine.messages import make_headers, make_response

SILENCE = 30.0
"""Seconds without a frame after which the server is asked whether it is there (client-go: HTTP2_READ_IDLE_TIMEOUT)."""
PATIENCE = 15.0
"""Seconds it has to answer (client-go: HTTP2_PING_TIMEOUT)."""
STREAMS_BEFORE_SETTINGS = 100
"""Streams that may be opened before the server has said how many it wants; Go's client does the same."""


class Http2Client(Http2):
    """Calls on their way to a server that speaks HTTP/2. Its stream ids are its own, in the order of sending."""

    h2_conf = configuration(client_side=True)
    ReceiveProtocolError = ResponseProtocolError
    ReceiveData = ResponseData
    ReceiveTrailers = ResponseTrailers
    ReceiveEndOfMessage = ResponseEndOfMessage
    to_client = False

    def __init__(self, context: Context) -> None:
        super().__init__(context, context.server)
        self._inner: dict[int, int] = {}
        """Our stream ids by the client's."""
        self._outer: dict[int, int] = {}
        self._sent: dict[int, Sent] = {}
        """By our stream id: what an answer has not begun to."""
        self._draining = False
        self._settled = False
        """The server has sent its settings."""
        self._served = False
        self._heard = time.monotonic()
        self._asked = False

    def has_room(self) -> bool:
        """Tell whether another call can be sent here."""
        limit = self.h2_conn.remote_settings.max_concurrent_streams if self._settled else STREAMS_BEFORE_SETTINGS
        return not self._draining and self.conn.connected and len(self._inner) < limit

    def held(self) -> int:
        """Count also what may have to be sent again."""
        return super().held() + sum(len(chunk) for sent in self._sent.values() for chunk in sent.chunks)

    def outer_id(self, stream_id: int) -> int:
        """Give the client's stream id for one of ours."""
        return self._outer[stream_id]

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            self._heard = time.monotonic()
            self._asked = False
        elif isinstance(event, events.Wakeup):
            yield from self._listen_for_life()
        yield from super()._handle_event(event)
        if isinstance(event, events.Start):
            yield commands.RequestWakeup(SILENCE)

    # -- sending ------------------------------------------------------------------------------------------------

    def _send(self, event: HttpEvent) -> CommandGenerator[None]:
        if isinstance(event, RequestHeaders):
            yield from self._begin(event)
            return
        stream_id = self._inner.get(event.stream_id)
        if stream_id is None:
            return  # it is over, and who sends this has not heard yet
        sent = self._sent.get(stream_id)
        if isinstance(event, RequestProtocolError):
            yield from self._reset(stream_id, ErrorCodes.CANCEL)
            return
        if sent is not None:
            _keep(sent, event)
        event.stream_id = stream_id
        yield from super()._send(event)

    def _begin(self, event: RequestHeaders) -> CommandGenerator[None]:
        request, sent = event.request, Sent(event.request, event.end_stream)
        pseudo = [(b":method", request.data.method), (b":scheme", request.data.scheme), (b":path", request.data.path)]
        if request.data.authority:
            pseudo.append((b":authority", request.data.authority))
        stream_id = self.h2_conn.get_next_available_stream_id()
        try:
            fields = [*pseudo, *request.headers.fields]
            self.h2_conn.send_message_head(stream_id, fields, end_stream=event.end_stream)
        except TooManyStreamsError:
            yield ReceiveHttp(UpstreamFailed(event.stream_id, "too many streams", sent=sent, unprocessed=True))
            return
        self._inner[event.stream_id] = stream_id
        self._outer[stream_id] = event.stream_id
        self._sent[stream_id] = sent
        self.streams[stream_id] = StreamState.EXPECTING_HEADERS

    # -- receiving ----------------------------------------------------------------------------------------------

    def receive_answer(self, event: ResponseReceived) -> CommandGenerator[None]:
        """Pass on an answer's head."""
        if event.stream_id not in self._outer:
            return
        (name, status), *fields = event.headers
        if name != b":status" or not status.isdigit():
            yield from self.protocol_error("answer without a status")
            return
        self._sent.pop(event.stream_id, None)
        self._served = True
        self.streams[event.stream_id] = StreamState.HEADERS_RECEIVED
        response = make_response(b"HTTP/2.0", int(status), b"", make_headers(fields))
        ended = event.stream_ended is not None
        yield ReceiveHttp(ResponseHeaders(self._outer[event.stream_id], response, ended))

    def receive_reset(self, event: H2StreamReset) -> CommandGenerator[None]:
        """Give a call back that the server has refused; end one that it has failed."""
        stream_id = event.stream_id
        if stream_id not in self._outer:
            return
        outer, sent, code = self._outer[stream_id], self._sent.get(stream_id), int(event.error_code)
        yield from self._forget(stream_id)
        if code == ErrorCodes.REFUSED_STREAM and sent is not None:
            yield ReceiveHttp(UpstreamFailed(outer, "refused", sent=sent, unprocessed=True))
        else:
            yield ReceiveHttp(StreamReset(outer, "stream reset by server", code))

    def receive_settings(self, _event: RemoteSettingsChanged) -> CommandGenerator[None]:
        """Note that the server has said how many streams it wants."""
        self._settled = True
        yield from ()

    def receive_request(self, _event: RequestReceived) -> CommandGenerator[None]:
        """Refuse to be taken for a server."""
        yield from self.protocol_error("request from a server")

    def receive_goaway(self, event: ConnectionTerminated) -> CommandGenerator[None]:
        """Drain: give back the calls that the server will not look at, and close when the others are done."""
        self._draining = True
        last_stream_id = event.last_stream_id or 0
        for stream_id in [ours for ours in self._outer if ours > last_stream_id]:
            outer, sent = self._outer[stream_id], self._sent.get(stream_id)
            yield from self._forget(stream_id)
            yield ReceiveHttp(UpstreamFailed(outer, "not processed", sent=sent, unprocessed=sent is not None))
        if not self._outer:
            yield commands.CloseConnection(self.conn)

    # -- the end ------------------------------------------------------------------------------------------------

    def close_connection(self, msg: str) -> CommandGenerator[None]:
        """End the connection and give its calls back, or up."""
        self._draining = self._over = True
        self._holders.discard(self)
        self.h2_conn.drop()
        yield commands.CloseConnection(self.conn)
        lost = [(self._outer[ours], self._sent.get(ours)) for ours in self._outer]
        for records in (self._inner, self._outer, self._sent, self.streams):
            records.clear()
        self._handle_event = self.done  # type: ignore[method-assign]
        for stream_id, sent in lost:
            yield ReceiveHttp(UpstreamFailed(stream_id, msg, sent=sent, reused=self._served))

    def _forget(self, stream_id: int) -> CommandGenerator[None]:
        yield from super()._forget(stream_id)
        self._sent.pop(stream_id, None)
        outer = self._outer.pop(stream_id, None)
        if outer is not None:
            del self._inner[outer]
            if self._draining and not self._outer:
                yield commands.CloseConnection(self.conn)

    def _listen_for_life(self) -> CommandGenerator[None]:
        silent = time.monotonic() - self._heard
        if self._asked:
            yield from self.close_connection("no answer to ping")
            return
        if silent >= SILENCE:
            self._asked = True
            self.h2_conn.ping(b"apisnoop")
        yield commands.RequestWakeup(PATIENCE if self._asked else SILENCE - silent)

    receivers: ClassVar[Receivers] = {
        ResponseReceived: receive_answer,
        DataReceived: Http2.receive_body,
        TrailersReceived: Http2.receive_trailers,
        StreamEnded: Http2.receive_end,
        H2StreamReset: receive_reset,
        ConnectionTerminated: receive_goaway,
        RemoteSettingsChanged: receive_settings,
        RequestReceived: receive_request,
    }
    """Interim answers (1xx) are for the sender of a body, which is not waited for here."""


def _keep(sent: Sent, event: HttpEvent) -> None:
    if isinstance(event, RequestData):
        sent.add(event.data)
    elif isinstance(event, RequestTrailers):
        sent.trailers = event.trailers
    elif isinstance(event, RequestEndOfMessage):
        sent.ended = True
