"""The calls of one client connection, and the connections to the server that they share.

mitmproxy's HttpLayer with another pool: a connection that drains, is full or is closed gets no more calls, a failed
attempt to connect is not remembered against later ones, and closed connections are forgotten.
"""

from mitmproxy.connection import Connection, ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer
from mitmproxy.proxy.layers.http import (
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HTTPMode,
    RegisterHttpConnection,
)
from mitmproxy.proxy.layers.http import HttpLayer as MitmproxyHttpLayer
from mitmproxy.proxy.tunnel import LayerStack

from apisnoop_addons.engine.exchange import Exchange
from apisnoop_addons.engine.http1 import Http1Client, Http1Server
from apisnoop_addons.engine.http2_client import STREAMS_BEFORE_SETTINGS, Http2Client
from apisnoop_addons.engine.http2_server import Http2Server
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.engine.proxy_tunnel import HttpConnect, ProxyUrl, Socks5, parse_proxy_url
from apisnoop_addons.engine.tls import HTTP2
from apisnoop_addons.engine.tls_layer import ServerTls


class Upstreams(dict[Server, Http1Client | Http2Client]):
    """The open connections to the server."""


class HttpLayer(MitmproxyHttpLayer):
    """All calls of one client connection."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, HTTPMode.transparent)
        self.connections = _Connections(context)
        self._upstreams = Upstreams()

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            client = self.context.client
            server = Http2Server if client.alpn == HTTP2 else Http1Server
            self.connections[client] = server(self.context.fork())
            yield from self.event_to_child(self.connections[client], event)
            return
        yield from super()._handle_event(event)
        if isinstance(event, events.ConnectionClosed) and isinstance(event.connection, Server):
            self._upstreams.pop(event.connection, None)
            if event.connection.state is ConnectionState.CLOSED:
                self.connections.pop(event.connection, None)

    def make_stream(self, stream_id: int) -> CommandGenerator[None]:
        """Begin a call."""
        stream = self.streams[stream_id] = Exchange(fork(self.context), stream_id, self.streams)
        yield from self.event_to_child(stream, events.Start())

    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> CommandGenerator[None]:
        """Give a call a connection to the server: an open one, one that is being opened, or a new one."""
        for server, upstream in self._upstreams.items():
            if reuse and upstream.has_room():
                stream = self.command_sources.pop(event)
                yield from self.event_to_child(stream, GetHttpConnectionCompleted(event, (server, None)))
                return
        client = self.context.client
        assert isinstance(client, Client)
        if reuse and client.alpn == HTTP2 and client.listener.protocols.http2:
            for waiting in self.waiting_for_establishment.values():
                if len(waiting) < STREAMS_BEFORE_SETTINGS:
                    waiting.append(event)
                    return
        yield from self._open(event)

    def _open(self, event: GetHttpConnection) -> CommandGenerator[None]:
        context = self.context.fork()
        context.server = Server(address=event.address)
        client = self.context.client
        assert isinstance(client, Client)
        stack, proxy_url = LayerStack(), client.listener.upstream.proxy_url
        if proxy_url:
            stack /= _proxy_layers(context, parse_proxy_url(proxy_url))
        if event.tls:
            context.server.sni = self.context.server.sni
            stack /= ServerTls(context, nested=bool(proxy_url))
        stack /= _Opening(context, self._upstreams)
        self.connections[context.server] = stack[0]
        self.waiting_for_establishment[context.server].append(event)
        yield from self.event_to_child(stack[0], events.Start())

    def register_connection(self, command: RegisterHttpConnection) -> CommandGenerator[None]:
        """Give a new connection to those who wait for it, or tell them that there is none."""
        server, client = command.connection, self.context.client
        assert isinstance(client, Client)
        assert isinstance(server, Server)
        waiting = self.waiting_for_establishment.pop(server)
        if command.err:
            self.connections.pop(server, None)
            client.listener.on_failure(client.listener, command.err)
        for request in waiting:
            if command.err or self._upstreams[server].has_room():
                reply = (None, command.err) if command.err else (server, None)
                stream = self.command_sources.pop(request)
                yield from self.event_to_child(stream, GetHttpConnectionCompleted(request, reply))
            else:
                yield from self.get_connection(request)


def _proxy_layers(context: Context, proxy: ProxyUrl) -> LayerStack:
    to_proxy, stack = Server(address=(proxy.host, proxy.port)), LayerStack()
    if proxy.scheme == "https":
        to_proxy.sni = proxy.host
        stack /= ServerTls(context, to_proxy)
    stack /= (Socks5 if proxy.scheme.startswith("socks") else HttpConnect)(context, proxy, to_proxy)
    return stack


def fork(context: Context) -> Context:
    """Do what `Context.fork` does, without making a server connection only to throw it away."""
    forked = Context.__new__(Context)
    forked.client, forked.options, forked.server = context.client, context.options, context.server
    forked.layers = context.layers.copy()
    return forked


class _Opening(Layer):
    """Opens a connection, then becomes the layer of the HTTP version that was agreed on."""

    def __init__(self, context: Context, upstreams: Upstreams) -> None:
        super().__init__(context)
        self._upstreams = upstreams

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        server = self.context.server
        error = yield commands.OpenConnection(server)
        if not error:
            upstream = (Http2Client if server.alpn == HTTP2 else Http1Client)(self.context)
            self._upstreams[server] = upstream
            self._handle_event = upstream.handle_event  # type: ignore[method-assign]
            yield from upstream.handle_event(event)
        yield RegisterHttpConnection(server, error)


class _Connections(dict[Connection, Layer]):
    """The layers of all connections; what comes late for a closed one meets a layer that does nothing."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._closed = _Closed(context.fork())

    def __missing__(self, _connection: Connection) -> Layer:
        return self._closed


class _Closed(Layer):
    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:  # noqa: ARG002  whatever it is
        yield from ()
