"""One request and its answer, on their way through the proxy.

mitmproxy's HttpStream, with another idea of what to do when the server fails: a request that the server cannot have
acted on is sent again, over another connection; any other failure is shown to the client as it would have met it
without a proxy, as a closed connection or a reset stream. Answers made up here (mitmproxy's 502) would stop clients
from doing what they do after a failure.
"""

from typing import TYPE_CHECKING

from mitmproxy import flow, http
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, GetHttpConnection, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook

from apisnoop_addons.engine.driver_commands import Upgraded
from apisnoop_addons.engine.http_events import EndSending, HoldBack, LetCome, Sent, UpstreamFailed
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.engine.messages import make_headers
from apisnoop_addons.engine.outcome import CLIENT_DISCONNECTED, UPSTREAM_ERROR, note_outcome
from apisnoop_addons.engine.refusal import unavailable
from apisnoop_addons.engine.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_ATTEMPTS = 5
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""Methods that Go's transport sends again when a connection dies under them."""


class Exchange(HttpStream):
    """One call."""

    mode = HTTPMode.transparent  # there is no other here; mitmproxy looks it up for every call
    context: Context

    def __init__(self, context: Context, stream_id: int, exchanges: "Mapping[int, HttpStream]") -> None:
        super().__init__(context, stream_id)
        self._exchanges = exchanges
        """All calls of this client connection."""
        self._attempts = 0

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, HoldBack | LetCome):
            yield SendHttp(event, self.context.server if event.to_client else self.context.client)
        elif isinstance(event, UpstreamFailed):
            yield from self._upstream_failed(event)
        else:
            yield from super()._handle_event(event)

    def state_wait_for_request_headers(self, event: RequestHeaders) -> CommandGenerator[None]:
        """Begin, with the authority that the server wants to see."""
        client = self.context.client
        assert isinstance(client, Client)
        if client.listener.upstream.authority:
            _set_authority(event.request, client.listener.upstream.authority.encode())
        yield from super().state_wait_for_request_headers(event)

    def check_invalid(self, request: bool) -> CommandGenerator[bool]:
        """Check the framing of HTTP/1 messages; HTTP/2's cannot be taken in two ways."""
        message = self.flow.request if request else self.flow.response
        assert message
        return False if message.is_http2 else (yield from super().check_invalid(request))

    # -- connecting, and doing it again -------------------------------------------------------------------------

    def make_server_connection(self) -> CommandGenerator[bool]:
        """Get a connection to the server. Return False, with the call ended, if there is none."""
        server = self.context.server
        assert server.address
        connection, error = yield GetHttpConnection(server.address, server.tls, None)
        if error:
            yield from self._cannot_connect(error)
            return False
        self.context.server = self.flow.server_conn = connection
        return True

    def _upstream_failed(self, event: UpstreamFailed) -> CommandGenerator[None]:
        if event.sent is not None and self._may_send_again(event, event.sent):
            self._attempts += 1
            if (yield from self.make_server_connection()):
                yield from self._send_again(event.sent)
            return
        event.alone = not any(
            other.context.server.connected for other in self._exchanges.values() if isinstance(other, Exchange)
        )
        yield from self.handle_protocol_error(event)

    def _may_send_again(self, event: UpstreamFailed, sent: Sent) -> bool:
        if self.flow.response is not None or not sent.complete or self._attempts >= MOST_ATTEMPTS:
            return False
        if event.unprocessed:
            return True
        request = self.flow.request
        return event.reused and request.data.method in IDEMPOTENT and "upgrade" not in request.headers

    def _send_again(self, sent: Sent) -> CommandGenerator[None]:
        server = self.context.server
        yield SendHttp(RequestHeaders(self.stream_id, sent.request, sent.end_stream), server)
        for chunk in sent.chunks:
            yield SendHttp(RequestData(self.stream_id, chunk), server)
        if sent.trailers is not None:
            yield SendHttp(RequestTrailers(self.stream_id, sent.trailers), server)
        if sent.ended:
            yield SendHttp(RequestEndOfMessage(self.stream_id), server)

    # -- failing ------------------------------------------------------------------------------------------------

    def _cannot_connect(self, error: str) -> CommandGenerator[None]:
        client = self.context.client
        assert isinstance(client, Client)
        if not client.listener.explain_failures or self.flow.response is not None:
            yield from self._upstream_failed(UpstreamFailed(self.stream_id, error, sent=None))
            return
        note_outcome(self.flow, UPSTREAM_ERROR)
        self.flow.error = flow.Error(error)
        yield HttpErrorHook(self.flow)
        answer = unavailable(error)
        self.client_state = self.server_state = self.state_errored
        self.flow.live = False
        yield DropStream(self.stream_id)
        yield SendHttp(ResponseHeaders(self.stream_id, answer, end_stream=False), client)
        yield SendHttp(ResponseData(self.stream_id, answer.raw_content or b""), client)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), client)

    def handle_protocol_error(self, event: RequestProtocolError | ResponseProtocolError) -> CommandGenerator[None]:
        """End the call as broken, and remember from which side."""
        note_outcome(self.flow, CLIENT_DISCONNECTED if isinstance(event, RequestProtocolError) else UPSTREAM_ERROR)
        yield from super().handle_protocol_error(event)

    # -- the end ------------------------------------------------------------------------------------------------

    def flow_done(self) -> CommandGenerator[None]:
        """Finish the call; what follows a 101 is passed on as it is."""
        response = self.flow.response
        assert response
        if response.status_code == 101:
            self.child_layer = Tunnel(self.context, self.flow)
            self._handle_event = self.passthrough  # type: ignore[method-assign]
            yield Upgraded()
            yield from self.child_layer.handle_event(events.Start())
        else:
            self.flow.live = False
            yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)

    def passthrough(self, event: events.Event) -> CommandGenerator[None]:
        """Relay an upgraded connection's bytes, and its half-closes as such, which mitmproxy makes closes of both."""
        assert self.child_layer
        client, server = self.context.client, self.context.server
        if isinstance(event, RequestData):
            event = events.DataReceived(client, event.data)
        elif isinstance(event, ResponseData):
            event = events.DataReceived(server, event.data)
        elif isinstance(event, RequestEndOfMessage):
            event = events.ConnectionClosed(client)
        elif isinstance(event, ResponseEndOfMessage):
            event = events.ConnectionClosed(server)
        for command in self.child_layer.handle_event(event):
            if isinstance(command, commands.ConnectionCommand):
                yield SendHttp(self._as_http(command), command.connection)
            else:
                yield command

    def _as_http(self, command: commands.ConnectionCommand) -> HttpEvent:
        """Say what the layer of HTTP on that connection has to do."""
        to_client = command.connection == self.context.client
        if isinstance(command, commands.SendData):
            return (ResponseData if to_client else RequestData)(self.stream_id, command.data)
        if isinstance(command, commands.CloseTcpConnection) and command.half_close:
            return EndSending(self.stream_id)
        if to_client:
            return ResponseProtocolError(self.stream_id, "over", ErrorCode.PASSTHROUGH_CLOSE)
        return RequestProtocolError(self.stream_id, "over", ErrorCode.PASSTHROUGH_CLOSE)


def _set_authority(request: http.Request, authority: bytes) -> None:
    if request.is_http2:
        request.data.authority = authority
    fields = request.data.headers.fields
    request.data.headers = make_headers(
        (name, authority) if name.lower() == b"host" else (name, value) for name, value in fields
    )
