"""HTTP/2 on one connection, either side; what is particular to a side is in `http2_server` and `http2_client`.

Built on mitmproxy's Http2Connection. What a peer does not read is not read from the other side either, stream by
stream, and nothing is remembered of a stream that is over.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.events import DataReceived as H2DataReceived
from h2.events import Event as H2Event
from h2.events import StreamEnded, TrailersReceived
from h2.exceptions import ProtocolError
from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._base import HttpConnection, HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestData,
    RequestEndOfMessage,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseTrailers,
)
from mitmproxy.proxy.layers.http._http2 import CATCH_HYPER_H2_ERRORS, Http2Connection

from apisnoop_addons.engine.h2_connection import H2Connection
from apisnoop_addons.engine.http_events import HoldBack, LetCome
from apisnoop_addons.engine.inflow import Inflow
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.engine.messages import make_headers

type Receivers = dict[type[H2Event], Callable[[Any, Any], CommandGenerator[None]]]


def configuration(*, client_side: bool) -> H2Configuration:
    """Configure hyper-h2 to carry headers as they are: the peers of this proxy judge one another's themselves."""
    return H2Configuration(
        client_side=client_side,
        header_encoding=False,
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
        normalize_inbound_headers=False,
    )


class Http2(Http2Connection):
    """One HTTP/2 connection. Stream ids in here are those of this connection."""

    h2_conn: H2Connection
    to_client: bool
    """Whether what is sent here goes to the client."""
    receivers: ClassVar[Receivers] = {}
    """What to do with which of hyper-h2's events; there is nothing to do about others."""

    def __init__(self, context: Context, conn: Connection) -> None:
        HttpConnection.__init__(self, context, conn)  # not the parent's, which makes a connection of its own kind
        self.h2_conn = H2Connection(self.h2_conf)
        self.streams = {}
        self.inflow = Inflow(self.h2_conn)
        self._over = False
        client = context.client
        assert isinstance(client, Client)
        self._holders = client.holders
        self._holders.add(self)
        self._stuck: set[int] = set()
        """Streams with data that the peer has not let us send."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            yield from self._receive(event.data)
        elif isinstance(event, HttpEvent):
            yield from self._send(event)
        elif isinstance(event, events.Start):
            self.h2_conn.initiate_connection()
        elif isinstance(event, events.ConnectionClosed):
            yield from self.close_connection("connection closed")
        yield from self._flush()

    def _flush(self) -> CommandGenerator[None]:
        data = self.h2_conn.data_to_send()
        if data:
            yield commands.SendData(self.conn, data)

    def _receive(self, data: bytes) -> CommandGenerator[None]:
        try:
            received = self.h2_conn.receive_data(data)
        except ProtocolError as error:
            self.refused(error)
            yield from self.protocol_error(f"HTTP/2 protocol error: {type(error).__name__}")
            return
        except CATCH_HYPER_H2_ERRORS as error:  # garbage that hyper-h2 itself stumbles over
            yield from self.protocol_error(f"HTTP/2 framing error: {type(error).__name__}")
            return
        receivers = self.receivers
        for event in received:
            receiver = receivers.get(type(event))
            if receiver is not None:
                yield from receiver(self, event)
                if self._over:
                    return
        if self._stuck:
            yield from self._let_come()

    def refused(self, error: ProtocolError) -> None:
        """Hear what the peer did wrong."""

    def held(self) -> int:
        """Count the bytes that are kept for, or in case of, later."""
        return self.h2_conn.held()

    def outer_id(self, stream_id: int) -> int:
        """Give the id by which the rest of the proxy knows a stream: the client's."""
        return stream_id

    # -- receiving ----------------------------------------------------------------------------------------------

    def receive_body(self, event: H2DataReceived) -> CommandGenerator[None]:
        """Pass on a piece of a body."""
        if event.data and event.stream_id in self.streams:
            yield ReceiveHttp(self.ReceiveData(self.outer_id(event.stream_id), event.data))
        self.inflow.received(event.stream_id, event.flow_controlled_length)

    def receive_trailers(self, event: TrailersReceived) -> CommandGenerator[None]:
        """Pass on what comes behind a body."""
        if event.stream_id in self.streams:
            yield ReceiveHttp(self.ReceiveTrailers(self.outer_id(event.stream_id), make_headers(event.headers)))

    def receive_end(self, event: StreamEnded) -> CommandGenerator[None]:
        """Pass on that a message is complete."""
        if event.stream_id in self.streams:
            yield ReceiveHttp(self.ReceiveEndOfMessage(self.outer_id(event.stream_id)))
            yield from self._forget_if_closed(event.stream_id)

    # -- sending ------------------------------------------------------------------------------------------------

    def _send(self, event: HttpEvent) -> CommandGenerator[None]:
        stream_id = event.stream_id
        if isinstance(event, RequestData | ResponseData):
            if self.h2_conn.is_writable(stream_id):
                self.h2_conn.send_data(stream_id, event.data)
                if stream_id in self.h2_conn.stream_buffers:
                    yield from self._hold_back(stream_id)
        elif isinstance(event, RequestEndOfMessage | ResponseEndOfMessage):
            if self.h2_conn.is_writable(stream_id):
                self.h2_conn.end_stream(stream_id)
            yield from self._forget_if_closed(stream_id)
        elif isinstance(event, RequestTrailers | ResponseTrailers):
            if self.h2_conn.is_writable(stream_id):
                self.h2_conn.send_trailers(stream_id, [*event.trailers.fields])
        elif isinstance(event, HoldBack):
            self.inflow.hold(stream_id)
        elif isinstance(event, LetCome):
            self.inflow.release(stream_id)

    def _reset(self, stream_id: int, code: int) -> CommandGenerator[None]:
        if self.h2_conn.is_open(stream_id):
            self.h2_conn.reset_stream(stream_id, code)
        yield from self._forget(stream_id)

    def _hold_back(self, stream_id: int) -> CommandGenerator[None]:
        if stream_id not in self._stuck:
            self._stuck.add(stream_id)
            yield ReceiveHttp(HoldBack(self.outer_id(stream_id), self.to_client))

    def _let_come(self) -> CommandGenerator[None]:
        for stream_id in [stuck for stuck in self._stuck if stuck not in self.h2_conn.stream_buffers]:
            self._stuck.discard(stream_id)
            yield ReceiveHttp(LetCome(self.outer_id(stream_id), self.to_client))
            yield from self._forget_if_closed(stream_id)

    # -- the end ------------------------------------------------------------------------------------------------

    def _forget_if_closed(self, stream_id: int) -> CommandGenerator[None]:
        if stream_id not in self._stuck and not self.h2_conn.is_open(stream_id):
            yield from self._forget(stream_id)

    def _forget(self, stream_id: int) -> CommandGenerator[None]:
        self.streams.pop(stream_id, None)
        self._stuck.discard(stream_id)
        self.inflow.release(stream_id)
        yield from ()

    def protocol_error(self, message: str, error_code: int = ErrorCodes.PROTOCOL_ERROR) -> CommandGenerator[None]:
        """Give the connection up because of what the peer sent."""
        self.h2_conn.close_connection(error_code)
        yield from self._flush()
        yield from self.close_connection(message)

    def close_connection(self, msg: str) -> CommandGenerator[None]:
        """End the connection, and with it all of its streams."""
        self._over = True
        self._holders.discard(self)
        self.h2_conn.drop()
        yield from super().close_connection(msg)
