"""What comes after 101 Switching Protocols (exec, attach, port-forward): bytes, passed on and counted, never kept."""

from dataclasses import dataclass

from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.commands import StartHook
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator

from apisnoop_addons.engine.relay import Relay


@dataclass
class UpgradeEndHook(StartHook):  # type: ignore[no-untyped-call]  # __init_subclass__
    """An upgraded connection is over; every flow answered with 101 gets one, after its `response`."""

    flow: HTTPFlow


TUNNEL_BYTES = "apisnoop.tunnel"
"""Key in `flow.metadata` of what has passed through an upgraded connection, a `Relayed`."""


class Tunnel(Relay):
    """The relay of an upgraded connection."""

    def __init__(self, context: Context, flow: HTTPFlow) -> None:
        super().__init__(context)
        self.flow = flow
        flow.metadata[TUNNEL_BYTES] = self.relayed

    def ended(self) -> CommandGenerator[None]:
        """Tell the addons."""
        self.flow.live = False
        yield UpgradeEndHook(self.flow)
