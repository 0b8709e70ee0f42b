"""Forward HTTP: mitmproxy's HTTP layer, with our streams in it."""

from mitmproxy.proxy import events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import DropStream, HTTPMode, HttpStream, SendHttp
from mitmproxy.proxy.layers.http import HttpLayer as MitmproxyHttpLayer
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseEndOfMessage, ResponseProtocolError

from apisnoop_addons.engine.outcome import CLIENT_DISCONNECTED, UPSTREAM_ERROR, note_outcome
from apisnoop_addons.engine.tunnel import Tunnel


class Stream(HttpStream):
    """One call on its way from the client to the server and back."""

    mode = HTTPMode.transparent  # there is no other here; mitmproxy looks it up each time

    def handle_protocol_error(self, event: RequestProtocolError | ResponseProtocolError) -> CommandGenerator[None]:
        """End the call as broken, and remember from which side."""
        note_outcome(self.flow, CLIENT_DISCONNECTED if isinstance(event, RequestProtocolError) else UPSTREAM_ERROR)
        yield from super().handle_protocol_error(event)

    def flow_done(self) -> CommandGenerator[None]:
        """Finish the call; what follows a 101 is passed on as it is."""
        response = self.flow.response
        assert response
        if response.status_code == 101:
            self.child_layer = Tunnel(self.context, self.flow)
            self._handle_event = self.passthrough
            yield from self.child_layer.handle_event(events.Start())
        else:
            self.flow.live = False
            yield DropStream(self.stream_id)
        yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)


class HttpLayer(MitmproxyHttpLayer):
    """All calls of one client connection."""

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        """Begin a call."""
        stream = self.streams[stream_id] = Stream(self.context.fork(), stream_id)
        yield from self.event_to_child(stream, events.Start())
