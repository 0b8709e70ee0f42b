"""The proxy: accepts connections on listeners and drives each through TLS and HTTP to its upstream."""

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, cast

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer

from apisnoop_addons.engine.connect import watch_over_client
from apisnoop_addons.engine.driver import Driver
from apisnoop_addons.engine.http_layer import HttpLayer
from apisnoop_addons.engine.link import Link
from apisnoop_addons.engine.listener import Client, Listener
from apisnoop_addons.engine.master import Master
from apisnoop_addons.engine.settings import LayerSettings
from apisnoop_addons.engine.tls import TlsContexts
from apisnoop_addons.engine.tls_layer import ClientTls

if TYPE_CHECKING:
    from mitmproxy.options import Options

BACKLOG = 1024


class Proxy:
    """Serves listeners, in the running event loop, with the addons given.

    Use: `await proxy.start()`, `await proxy.listen(listener)` any number of times, `await proxy.stop()`.
    """

    def __init__(self, *addons: object) -> None:
        self.master = Master(TlsContexts(), *addons)
        self._servers: dict[Listener, asyncio.Server] = {}
        self._drivers: dict[Driver, Listener] = {}
        self._settings = cast("Options", LayerSettings())
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Start the addons."""
        await self.master.start()

    async def listen(self, listener: Listener) -> None:
        """Accept connections on a listener's socket from now on. The socket belongs to the proxy from here."""
        loop = asyncio.get_running_loop()
        self._servers[listener] = await loop.create_server(
            lambda: _Accepted(self, listener), sock=listener.socket, backlog=BACKLOG
        )

    async def unlisten(self, listener: Listener, *, cut: bool = False) -> None:
        """Accept no more on a listener, and close its socket. Its connections go on, unless they are to be cut."""
        self._servers.pop(listener).close()
        if cut:
            for driver in [driver for driver, of in self._drivers.items() if of is listener]:
                driver.abort()

    async def stop(self, grace: float = 0.0) -> None:
        """Close the listeners, give open connections `grace` seconds to end, cut the rest, stop the addons."""
        for listener in list(self._servers):
            await self.unlisten(listener)
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            for driver in list(self._drivers):
                driver.abort()
            await self._idle.wait()
        await self.master.stop()

    def accepted(self, listener: Listener, link: Link) -> None:
        """Drive a connection that a listener has accepted."""
        transport = link.transport
        watch_over_client(transport.get_extra_info("socket"))
        client = Client(
            listener=listener,
            peername=transport.get_extra_info("peername"),
            sockname=transport.get_extra_info("sockname"),
            state=ConnectionState.OPEN,
            timestamp_start=time.time(),
        )
        driver = Driver(client, self._layers(client), self.master.hooks, self._forget)
        self._drivers[driver] = listener
        self._idle.clear()
        link.connect(driver, client)
        driver.start(link)

    def _layers(self, client: Client) -> Layer:
        context = Context(client, self._settings)
        upstream = client.listener.upstream
        context.server.address = (upstream.host, upstream.port)
        context.server.tls = upstream.tls
        context.server.sni = upstream.name
        entrance = Entrance(context)
        if client.listener.certificate is None:
            entrance.child_layer = HttpLayer(context)
        else:
            entrance.child_layer = ClientTls(context)
            entrance.child_layer.child_layer = HttpLayer(context)
        return entrance

    def _forget(self, driver: Driver) -> None:
        del self._drivers[driver]
        if not self._drivers:
            self._idle.set()


class Entrance(Layer):
    """The outermost layer. It does nothing: mitmproxy's TLS layer looks at what lies around it."""

    child_layer: Layer

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        self.handle_event = self.child_layer.handle_event  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(event)


class _Accepted(Link):
    """A client's socket, which gets its driver when it is connected."""

    def __init__(self, proxy: Proxy, listener: Listener) -> None:
        super().__init__()
        self._accept = partial(proxy.accepted, listener)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._accept(self)
