"""What comes after 101 Switching Protocols (exec, attach, port-forward): bytes, passed on and counted, never kept."""

from dataclasses import dataclass

from mitmproxy.connection import ConnectionState
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer


@dataclass
class UpgradeEndHook(StartHook):  # type: ignore[no-untyped-call]  # __init_subclass__
    """An upgraded connection is over; every flow answered with 101 gets one, after its `response`."""

    flow: HTTPFlow


@dataclass(slots=True)
class TunnelBytes:
    """What has passed through an upgraded connection; kept in `flow.metadata[TUNNEL_BYTES]`."""

    sent: int = 0
    received: int = 0


TUNNEL_BYTES = "apisnoop.tunnel"


class Tunnel(Layer):
    """Relays bytes in both directions and passes a half-close on."""

    def __init__(self, context: Context, flow: HTTPFlow) -> None:
        super().__init__(context)
        self.flow = flow
        self.bytes = flow.metadata[TUNNEL_BYTES] = TunnelBytes()
        self._over = False

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if self._over or not isinstance(event, events.ConnectionEvent):
            return
        client, server = self.context.client, self.context.server
        to = server if event.connection == client else client
        if isinstance(event, events.DataReceived):
            if to is server:
                self.bytes.sent += len(event.data)
            else:
                self.bytes.received += len(event.data)
            yield commands.SendData(to, event.data)
        elif client.state & ConnectionState.CAN_READ or server.state & ConnectionState.CAN_READ:
            yield commands.CloseTcpConnection(to, half_close=True)
        else:
            self._over = True
            yield commands.CloseConnection(server)
            yield commands.CloseConnection(client)
            self.flow.live = False
            yield UpgradeEndHook(self.flow)
