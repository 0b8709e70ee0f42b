"""Drive mitmproxy's protocol layers for one client connection, between plain asyncio transports.

This takes the place of `mitmproxy.proxy.server.ConnectionHandler` and is the only module that knows how that one
behaves. mitmproxy runs a task for each connection, each hook and each read, and passes a lock between them. Here a
readable socket calls the layers, the layers' commands run at once, hooks included, and what they wrote has left before
the event loop hears of it again.

What the layers are promised, as by mitmproxy:
- Events are handled one at a time and in order. What happens while one is being handled waits for its turn.
- A hook runs when it is commanded. Its completion is an event like any other, so it comes after the rest of the
  commands of the event that led to it. A hook that is a coroutine delays only its own completion.
- OpenConnection is answered by exactly one OpenConnectionCompleted, and an opened connection ends with exactly one
  ConnectionClosed, whoever closed it.
- Hooks of connections: client_connected, ..., client_disconnected; server_connect, then server_connect_error or
  (server_connected, ..., server_disconnected).
- While a peer does not take what was written to it, the other side is not read.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from mitmproxy.connection import Connection, ConnectionState, Server
from mitmproxy.proxy import commands, events, server_hooks
from mitmproxy.proxy.layer import Layer

from apisnoop.causes import cause_of
from apisnoop_addons.engine.admission import Admission
from apisnoop_addons.engine.connect import CONNECT_TIMEOUT, limit_unacknowledged, watch_over_server
from apisnoop_addons.engine.driver_commands import HoldReading, Upgraded
from apisnoop_addons.engine.hooks import Hooks, log_fault
from apisnoop_addons.engine.link import Link
from apisnoop_addons.engine.listener import Client

logger = logging.getLogger(__name__)

IDLE_TIMEOUT = 6 * 3600.0
"""Seconds without a byte in either direction after which a connection is closed. Quiet watches and shells are kept by
keepalive probes; this is for peers whose kernel answers while nobody is there."""


ADMISSION_TIMEOUT = 5.0
"""Seconds within which it has to be decided about a new connection."""

HANDSHAKE_TIMEOUT = 30.0
"""Seconds that a client gets for TLS. Go's servers for Kubernetes wait as long for what comes first."""


class Driver:
    """One client connection, the layers on it and the upstream connections they open."""

    def __init__(self, client: Client, layer: Layer, hooks: Hooks, on_end: Callable[["Driver"], None]) -> None:
        self.client = client
        self.layer = layer
        self.hooks = hooks
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._links: dict[Connection, Link] = {}
        self._opening: dict[Connection, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._events: deque[events.Event] = deque()
        self._handling = False
        self._unwritten: list[Link] = []
        """Links with something to write when the layers are done."""
        self._greeted = False
        self._ended = False
        self._upgraded = False
        self.active = self._loop.time()
        """When it has heard anything last, by the loop's clock; from then on it only holds less and less."""
        self._watchdog = self._loop.call_later(IDLE_TIMEOUT, self._check_idle)

    # -- the client ---------------------------------------------------------------------------------------------

    def start(self, link: Link) -> None:
        """Begin with the client's socket connected."""
        self._links[self.client] = link
        link.transport.pause_reading()  # nothing may arrive before `client_connected` has been heard
        admit = self.client.listener.admit
        if admit is None:
            self._greet()
        else:
            self._task(self._admit(admit))

    async def _admit(self, admit: Callable[[Client], Awaitable[Admission]]) -> None:
        try:
            async with asyncio.timeout(ADMISSION_TIMEOUT):
                self.client.admission = await admit(self.client)
        except OSError:  # whoever decides is not there; a timeout is one, too
            self.abort()
        except Exception as error:
            log_fault("an admission", error)
            self.abort()
        else:
            if self.client.admission.caller is None:
                self.abort()
            elif not self._ended:
                self._greet()

    def _greet(self) -> None:
        self._greeted = True
        self._after_hook(server_hooks.ClientConnectedHook(self.client), self._welcome)

    def _welcome(self) -> None:
        link = self._links.get(self.client)
        if link is None:
            return
        if self.client.error:
            link.transport.abort()
            return
        if self.client.listener.certificate is not None and not self.client.untouched:
            self._timers.add(self._loop.call_later(HANDSHAKE_TIMEOUT, self._check_handshake))
        self.handle(events.Start())
        self.balance()

    def _check_handshake(self) -> None:
        if not self.client.tls_established:
            self.abort()

    def buffered(self) -> int:
        """Count the bytes that are held for peers that do not take them."""
        written = sum(link.transport.get_write_buffer_size() for link in self._links.values())
        return written + sum(holder.held() for holder in self.client.holders)

    def abort(self) -> None:
        """Cut all connections at once."""
        for link in list(self._links.values()):
            link.transport.abort()

    # -- events and commands ------------------------------------------------------------------------------------

    def handle(self, event: events.Event) -> None:
        """Give the layers an event and do what they command; while that goes on, further events queue up."""
        self._events.append(event)
        if self._handling:
            return
        self._handling = True
        self.active = self._loop.time()
        try:
            while self._events:
                for command in self.layer.handle_event(self._events.popleft()):
                    self._execute(command)
            self._flush()
        except Exception as error:
            log_fault("a protocol layer", error)
            self._events.clear()
            self.abort()
        finally:
            self._handling = False

    def _flush(self) -> None:
        """Write what the layers have gathered: one TLS record and one system call for a whole answer."""
        while self.client.unflushed:
            for command in self.client.unflushed.pop().flush():
                self._execute(command)
        while self._unwritten:
            self._unwritten.pop().flush()

    def _execute(self, command: commands.Command) -> None:
        if isinstance(command, commands.SendData):
            self._send(command)
        elif isinstance(command, commands.StartHook):
            self._hook_of_layer(command)
        elif isinstance(command, commands.OpenConnection):
            self._opening[command.connection] = self._task(self._open(command))
            self.balance()
        elif isinstance(command, commands.CloseConnection):
            self._close(command)
        elif isinstance(command, commands.RequestWakeup):
            self._wake_later(command)
        elif isinstance(command, HoldReading):
            self._hold(command)
        elif isinstance(command, Upgraded):
            self._allow_stillness()
        elif isinstance(command, commands.Log):
            if command.level >= logging.WARNING:  # below that, layers quote what peers sent, credentials included
                logger.info("%s", command.message)
        else:
            raise TypeError(type(command).__name__)

    def _send(self, command: commands.SendData) -> None:
        link = self._links.get(command.connection)
        if link is None:
            if self._upgraded and isinstance(command.connection, Server):
                self.abort()  # as the server would: what is sent to a closed socket is answered with a reset
        elif link.connection.state & ConnectionState.CAN_WRITE and link.write(command.data):
            self._unwritten.append(link)

    def _hold(self, command: HoldReading) -> None:
        link = self._links.get(command.connection)
        if link is not None:
            link.held = command.hold
            self.balance()

    def _allow_stillness(self) -> None:
        """Let the server leave what it is sent unread: a shell's command may not want its input yet."""
        self._upgraded = True
        for connection, link in self._links.items():
            if connection is not self.client:
                limit_unacknowledged(link.transport.get_extra_info("socket"), 0)

    def _wake_later(self, command: commands.RequestWakeup) -> None:
        def wake() -> None:
            self._timers.discard(timer)
            self.handle(events.Wakeup(command))

        timer = self._loop.call_later(command.delay, wake)
        self._timers.add(timer)

    # -- hooks --------------------------------------------------------------------------------------------------

    def _hook_of_layer(self, hook: commands.StartHook) -> None:
        pending = self.hooks.run(hook)
        if pending is not None:
            self._task(self._complete_later(hook, pending))
        elif hook.blocking:
            self._events.append(events.HookCompleted(hook))

    async def _complete_later(self, hook: commands.StartHook, pending: Awaitable[None]) -> None:
        await pending
        if hook.blocking:
            self.handle(events.HookCompleted(hook))

    def _after_hook(self, hook: commands.StartHook, then: Callable[[], Any]) -> None:
        """Run a hook of the connection itself, and go on after it."""
        pending = self.hooks.run(hook)
        if pending is None:
            then()
            return

        async def wait() -> None:
            await pending
            then()

        self._task(wait())

    def _task(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- upstream connections -----------------------------------------------------------------------------------

    async def _open(self, command: commands.OpenConnection) -> None:
        server = command.connection
        about = server_hooks.ServerConnectionHookData(client=self.client, server=server)
        try:
            await self.hooks.finish(server_hooks.ServerConnectHook(about))
            if server.error:
                raise ConnectionAbortedError(f"Connection killed: {server.error}")
            self._links[server] = await self._connect(server)
        except (OSError, asyncio.CancelledError) as error:
            server.error = cause_of(error) if isinstance(error, OSError) else "connection cancelled"
            await self.hooks.finish(server_hooks.ServerConnectErrorHook(about))
        else:
            await self.hooks.finish(server_hooks.ServerConnectedHook(about))
        self._opening.pop(server, None)
        self.handle(events.OpenConnectionCompleted(command, server.error))
        self.balance()
        self._end_when_alone()

    async def _connect(self, server: Server) -> Link:
        if server.address is None:
            raise OSError("no address to connect to")
        server.timestamp_start = time.time()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            sock = await self.client.listener.connect(self.client, server.address[0], server.address[1])
        link = Link()
        link.connect(self, server)
        try:
            watch_over_server(sock)
            transport, _ = await self._loop.create_connection(lambda: link, sock=sock)
        except BaseException:
            sock.close()
            raise
        transport.pause_reading()  # until the layers know that it is open
        server.timestamp_tcp_setup = time.time()
        server.state = ConnectionState.OPEN
        server.peername = transport.get_extra_info("peername")
        server.sockname = transport.get_extra_info("sockname")
        return link

    # -- back-pressure ------------------------------------------------------------------------------------------

    def balance(self) -> None:
        """Read a connection only while those it is answered on take what they are sent, and there is one.

        A connection's own writes never hold up its own reads: two peers that both write before they read (a tunnel
        used in both directions) would wait for one another for ever.
        """
        for connection, link in self._links.items():
            others = [other for other in self._links if (other is self.client) != (connection is self.client)]
            waiting = bool(self._opening) and not others if connection is self.client else connection in self._opening
            if link.held or waiting or not all(self._links[other].taking for other in others):
                link.transport.pause_reading()
            elif not link.transport.is_closing():
                link.transport.resume_reading()

    # -- the end ------------------------------------------------------------------------------------------------

    def read_end(self, link: Link) -> None:
        """Tell the layers, once, that nothing more will come from this peer."""
        if link.read_ended:
            return
        link.read_ended = True
        link.connection.state &= ~ConnectionState.CAN_READ
        self.handle(events.ConnectionClosed(link.connection))

    def _close(self, command: commands.CloseConnection) -> None:
        link = self._links.get(command.connection)
        if link is None:
            if command.connection in self._opening:
                self._opening[command.connection].cancel()
        elif isinstance(command, commands.CloseTcpConnection) and command.half_close:
            if link.connection.state & ConnectionState.CAN_WRITE and not link.transport.is_closing():
                link.end_writing()
        else:
            link.flush()
            link.connection.state = ConnectionState.CLOSED
            link.transport.close()

    def lost(self, link: Link) -> None:
        """Note that a socket is closed, whoever did it."""
        if self._links.pop(link.connection, None) is None:
            return  # its opening was given up before anybody heard that it is open
        link.connection.state = ConnectionState.CLOSED
        link.connection.timestamp_end = time.time()
        self.read_end(link)
        if isinstance(link.connection, Server):
            about = server_hooks.ServerConnectionHookData(client=self.client, server=link.connection)
            self._after_hook(server_hooks.ServerDisconnectedHook(about), self._end_when_alone)
            self.balance()
        else:
            self._end()

    def _end(self) -> None:
        """Wind up after the client: it is what everything else here was for."""
        self._ended = True
        self._watchdog.cancel()
        for timer in self._timers:
            timer.cancel()
        for task in self._opening.values():
            task.cancel()
        self.abort()
        if self._greeted:
            self._after_hook(server_hooks.ClientDisconnectedHook(self.client), self._end_when_alone)
        else:
            self._end_when_alone()

    def _end_when_alone(self) -> None:
        if self._ended and not self._links and not self._opening:
            self._on_end(self)

    def _check_idle(self) -> None:
        rest = self.active + IDLE_TIMEOUT - self._loop.time()
        if rest <= 0:
            self.abort()
        else:
            self._watchdog = self._loop.call_later(rest, self._check_idle)
