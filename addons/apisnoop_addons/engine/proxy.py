"""The proxy: accepts connections on listeners and drives each through TLS and HTTP to its upstream."""

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, cast

from mitmproxy.connection import Address, ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer

from apisnoop_addons.engine.acceptor import Acceptor
from apisnoop_addons.engine.connect import watch_over_client
from apisnoop_addons.engine.driver import Driver
from apisnoop_addons.engine.http_layer import HttpLayer
from apisnoop_addons.engine.lag import LagMeter
from apisnoop_addons.engine.link import Link
from apisnoop_addons.engine.listener import Client, Listener
from apisnoop_addons.engine.master import Master
from apisnoop_addons.engine.relay import Untouched
from apisnoop_addons.engine.served import Reception, Served
from apisnoop_addons.engine.settings import LayerSettings
from apisnoop_addons.engine.tls import TlsContexts
from apisnoop_addons.engine.tls_layer import ClientTls

if TYPE_CHECKING:
    from mitmproxy.options import Options

BACKLOG = 1024

TALKATIVE = ("hpack", "h2", "mitmproxy")
"""Libraries whose debugging logs quote headers, tokens included: they never get to, whatever the process logs."""

BUFFER_CHECK = 0.25
"""Seconds between looks at what listeners' connections hold."""


class Proxy:
    """Serves listeners, in the running event loop, with the addons given.

    Use: `await proxy.start()`; `listen` and `unlisten` any number of times, at any time; `await proxy.stop()`.
    """

    def __init__(self, *addons: object) -> None:
        self.master = Master(TlsContexts(), *addons)
        self._served: dict[Listener, Served] = {}
        self._settings = cast("Options", LayerSettings())
        self._idle = asyncio.Event()
        self._idle.set()
        self._checking: asyncio.TimerHandle | None = None
        self._stopped = False

    async def start(self) -> None:
        """Start the addons, and to look after the loop."""
        for name in TALKATIVE:
            logging.getLogger(name).setLevel(logging.INFO)
        await self.master.start()
        self._meter = LagMeter()
        self._meter.start()
        self._check_buffers()

    async def listen(self, listener: Listener) -> None:
        """Accept connections on a listener's socket from now on. The socket belongs to the proxy from here."""
        served = Served(listener)
        acceptor = Acceptor(listener.socket, partial(_Accepted, self, served), partial(self._dismiss, served))
        acceptor.start(BACKLOG)
        served.acceptor, self._served[listener] = acceptor, served

    async def unlisten(self, listener: Listener, *, cut: bool = False) -> None:
        """Accept no more on a listener, and close its socket soon. Its connections go on, unless they are to be cut.

        What has connected up to now will be among its connections; `drained` is told when the last of them has ended.
        """
        served = self._served[listener]
        if not served.stopped:
            served.stop()
            if served.busy:
                self._idle.clear()
        if cut:
            served.cut()
        self._dismiss(served)

    def cut(self, listener: Listener) -> None:
        """Cut a listener's open connections."""
        if listener in self._served:
            self._served[listener].cut()

    def connections(self, listener: Listener) -> int:
        """Count a listener's open connections, also when it accepts no more."""
        return len(self._served[listener].drivers) if listener in self._served else 0

    @property
    def lag(self) -> float:
        """Seconds that the event loop was late by, at worst within the last second."""
        return self._meter.worst()

    async def stop(self, grace: float = 0.0) -> None:
        """Close the listeners, give open connections `grace` seconds to end, cut the rest, stop the addons.

        Harmless when done before.
        """
        if self._stopped:
            return
        self._stopped = True
        for listener in list(self._served):
            await self.unlisten(listener)
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            for listener in list(self._served):
                self.cut(listener)
            await self._idle.wait()
        self._meter.stop()
        if self._checking is not None:
            self._checking.cancel()
        await self.master.stop()

    def accepted(self, served: Served, link: Link, peername: Address, *, crowded: bool) -> None:
        """Drive a connection that a listener has accepted; a crowded one is more than its limits allow."""
        transport = link.transport
        listener, sock = served.listener, transport.get_extra_info("socket")
        client = Client(
            listener=listener,
            crowded=crowded,
            socket=sock,
            over_limit=served.over,
            arrived=served.arrived,
            ended=served.ended,
            peername=peername,
            sockname=transport.get_extra_info("sockname"),
            state=ConnectionState.OPEN,
            timestamp_start=time.time(),
        )
        watch_over_client(sock)
        driver = Driver(client, Entrance(client, self._settings), self.master.hooks, partial(self._forget, served))
        served.add(driver)
        self._idle.clear()
        link.connect(driver, client)
        driver.start(link)

    def _forget(self, served: Served, driver: Driver) -> None:
        served.discard(driver)
        self._dismiss(served)

    def _dismiss(self, served: Served) -> None:
        if served.drained and self._served.pop(served.listener, None) is not None:
            served.listener.drained(served.listener)
        if not any(other.busy for other in self._served.values()):
            self._idle.set()

    def _check_buffers(self) -> None:
        for served in self._served.values():
            served.check_buffers()
        self._checking = asyncio.get_running_loop().call_later(BUFFER_CHECK, self._check_buffers)


class Entrance(Layer):
    """The outermost layer. It only decides, when the client has been let in, which layers its bytes go through."""

    child_layer: Layer

    def __init__(self, client: Client, settings: "Options") -> None:
        super().__init__(Context(client, settings))

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        self.child_layer = self._choose()
        self.handle_event = self.child_layer.handle_event  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(event)

    def _choose(self) -> Layer:
        context, client = self.context, self.context.client
        assert isinstance(client, Client)
        upstream = client.listener.upstream
        context.server.address = client.upstream
        if client.untouched:
            return Untouched(context)
        context.server.tls = upstream.tls
        context.server.sni = upstream.name
        if client.listener.certificate is None:
            return HttpLayer(context)
        tls = ClientTls(context)
        tls.child_layer = HttpLayer(context)
        return tls


class _Accepted(Link):
    """A client's socket, which gets its driver when it is connected."""

    def __init__(self, proxy: Proxy, served: Served, address: Address) -> None:
        super().__init__()
        self._proxy, self._served, self._address = proxy, served, address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sources = self._served.listener.sources
        stranger = bool(sources) and self._address[0] not in sources
        reception = Reception.CLOSED if stranger or self._served.cutting else self._served.receive()
        if reception is Reception.CLOSED:
            self.transport.abort()
        else:
            crowded = reception is Reception.PASSED_ON
            self._proxy.accepted(self._served, self, self._address, crowded=crowded)
