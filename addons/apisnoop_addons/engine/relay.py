"""Pass bytes on between a client and a server, in both directions, and each direction's end when it comes."""

from dataclasses import dataclass

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer

from apisnoop_addons.engine.driver_commands import Upgraded


@dataclass(slots=True)
class Relayed:
    """How many bytes have passed."""

    sent: int = 0
    """From the client."""
    received: int = 0
    """From the server."""


class Relay(Layer):
    """Relays between `context.client` and `context.server`, both open.

    A peer that ends its direction still gets all of the other: the end is passed on as a half-close. A peer whose
    socket is gone can be told nothing any more, and ends both.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.relayed = Relayed()
        self._over = False

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self._over or not isinstance(event, events.ConnectionEvent):
            return
        client, server = self.context.client, self.context.server
        source, to = (client, server) if event.connection == client else (server, client)
        if isinstance(event, events.DataReceived):
            if to is server:
                self.relayed.sent += len(event.data)
            else:
                self.relayed.received += len(event.data)
            yield commands.SendData(to, event.data)
        elif source.state is not ConnectionState.CLOSED and to.state & ConnectionState.CAN_READ:
            yield commands.CloseTcpConnection(to, half_close=True)
        else:
            self._over = True
            yield commands.CloseConnection(server)
            yield commands.CloseConnection(client)
            yield from self.ended()

    def ended(self) -> CommandGenerator[None]:
        """Hear, once, that both directions are over."""
        yield from ()


class Untouched(Relay):
    """The relay of a connection that is passed on as it is: opens the one to the server first."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if not isinstance(event, events.Start):
            yield from super()._handle_event(event)
        elif (yield commands.OpenConnection(self.context.server)):
            self._over = True
            yield commands.CloseConnection(self.context.client)
        else:
            yield Upgraded()
