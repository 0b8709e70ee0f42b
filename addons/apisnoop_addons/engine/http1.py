"""HTTP/1.1 towards clients and towards the server, on mitmproxy's layers for it.

The differences: heads are limited in size and read without mitmproxy's checks of its own work, interim answers and
trailers do not upset anything, and a broken call ends its connection, as it would without a proxy, in place of being
given an answer made up here.
"""

from h11 import Data, EndOfMessage
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    ResponseHeaders,
    ResponseProtocolError,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http1 import (
    Http1Client as MitmproxyHttp1Client,
)
from mitmproxy.proxy.layers.http._http1 import (
    Http1Server as MitmproxyHttp1Server,
)
from mitmproxy.proxy.layers.http._http1 import TBodyReader, make_body_reader, make_error_response

from apisnoop_addons.engine.driver_commands import HoldReading
from apisnoop_addons.engine.heads import parse_request_head, parse_response_head, to_http1
from apisnoop_addons.engine.http_events import Break, EndSending, HoldBack, LetCome, Sent, UpstreamFailed
from apisnoop_addons.engine.listener import Client

LARGEST_HEAD = 2**20
"""Bytes; Go's http.DefaultMaxHeaderBytes."""


class Http1Server(MitmproxyHttp1Server):
    """The calls of a client that speaks HTTP/1.1, one after the other."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        assert isinstance(context.client, Client)
        context.client.holders.add(self)
        self._head = 0
        """Bytes of the head of the latest call."""

    def held(self) -> int:
        """Count what has come of a head, and the head of the call that is open."""
        return len(self.buf) + (self._head if self.request else 0)

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """Send a part of an answer, or what an error looks like in HTTP/1.1."""
        if isinstance(event, ResponseProtocolError):
            if event.code in _CLIENTS_FAULT and not self.response and self.conn.state & ConnectionState.CAN_WRITE:
                yield commands.SendData(self.conn, make_error_response(400))
                yield commands.CloseConnection(self.conn)
            elif event.code is ErrorCode.PASSTHROUGH_CLOSE and self.conn.state & ConnectionState.CAN_WRITE:
                yield commands.CloseConnection(self.conn)
            else:
                yield Break(self.conn)
        elif isinstance(event, EndSending):
            yield commands.CloseTcpConnection(self.conn, half_close=True)
        elif isinstance(event, ResponseTrailers | HoldBack | LetCome):
            pass  # trailers of HTTP/2 answers have no place here; a full socket stops this connection by itself
        else:
            yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        """Read a request's head."""
        if isinstance(event, events.ConnectionClosed):
            self.buf = ReceiveBuffer()  # now, and not when the collector comes
            yield commands.CloseConnection(self.conn)
            return
        arrived = len(self.buf)
        lines = _extract_head(self.buf)
        if lines is None:
            if arrived > LARGEST_HEAD:
                yield from self._refuse(431)
            return
        self._head = arrived - len(self.buf)
        try:
            self.request = parse_request_head(lines)
            size = http1.expected_http_body_size(self.request)
        except ValueError:
            yield from self._refuse(400)
            return
        yield ReceiveHttp(RequestHeaders(self.stream_id, self.request, size == 0))
        self.body_reader = _body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    def _refuse(self, status: int) -> CommandGenerator[None]:
        self.state = self.done
        yield commands.SendData(self.conn, make_error_response(status))
        yield commands.CloseConnection(self.conn)


class Http1Client(MitmproxyHttp1Client):
    """Calls on their way to a server that speaks HTTP/1.1, one after the other."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sent: Sent | None = None
        self._served = False

    def has_room(self) -> bool:
        """Tell whether another call can be sent here."""
        return self.stream_id is None and self.conn.connected

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """Send a part of a request."""
        if isinstance(event, HoldBack | LetCome):
            yield HoldReading(self.conn, isinstance(event, HoldBack))
            return
        if isinstance(event, EndSending):
            yield commands.CloseTcpConnection(self.conn, half_close=True)
            return
        if isinstance(event, RequestHeaders):
            self._sent = Sent(event.request, event.end_stream)
            if event.request.is_http2:
                try:
                    converted = to_http1(event.request, has_body=not event.end_stream)
                except ValueError as error:
                    yield ReceiveHttp(
                        ResponseProtocolError(event.stream_id, str(error), ErrorCode.REQUEST_VALIDATION_FAILED)
                    )
                    return
                event = RequestHeaders(event.stream_id, converted, event.end_stream)
        elif self._sent is not None and isinstance(event, RequestData):
            self._sent.add(event.data)
        elif self._sent is not None and isinstance(event, RequestEndOfMessage):
            self._sent.ended = True
        yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        """Read an answer's head; what comes before the answer proper (100 Continue and the like) is passed over."""
        if isinstance(event, events.ConnectionClosed):
            yield from self._give_up("connection closed")
            return
        if self.request is None or self.stream_id is None:
            yield commands.CloseConnection(self.conn)  # data that nobody asked for
            return
        lines = _extract_head(self.buf)
        if lines is None:
            if len(self.buf) > LARGEST_HEAD:
                yield from self._give_up("head too large")
            return
        try:
            response = parse_response_head(lines)
            size = http1.expected_http_body_size(self.request, response)
        except ValueError:
            yield from self._give_up("head cannot be read")
            return
        if response.status_code < 200 and response.status_code != 101:
            yield from self.read_headers(event)
            return
        self.response, self._sent, self._served = response, None, True
        yield ReceiveHttp(ResponseHeaders(self.stream_id, response, size == 0))
        self.body_reader = _body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    def _give_up(self, message: str) -> CommandGenerator[None]:
        stream_id, sent, reused = self.stream_id, self._sent, self._served
        self.stream_id = self._sent = None
        self.state = self.done
        yield commands.CloseConnection(self.conn)
        if stream_id is not None:
            yield ReceiveHttp(UpstreamFailed(stream_id, message, sent=sent, reused=reused))


_CLIENTS_FAULT = {ErrorCode.REQUEST_VALIDATION_FAILED, ErrorCode.GENERIC_CLIENT_ERROR, ErrorCode.DESTINATION_UNKNOWN}


class _ChunkedReader(ChunkedReader):
    """Reads chunks and drops the trailers behind them, which mitmproxy's HTTP/1.1 cannot pass on."""

    def __call__(self, buf: ReceiveBuffer) -> Data | EndOfMessage | None:
        event = super().__call__(buf)
        return EndOfMessage() if isinstance(event, EndOfMessage) else event


def _extract_head(buffer: ReceiveBuffer) -> list[bytearray] | None:
    """Take the lines of a head from a buffer, if all are there; empty lines before it do not count (RFC 9112 2.2)."""
    lines: list[bytearray] | None = []
    while lines == []:
        lines = buffer.maybe_extract_lines()
    return lines


def _body_reader(size: int | None) -> TBodyReader:
    return _ChunkedReader() if size is None else make_body_reader(size)
