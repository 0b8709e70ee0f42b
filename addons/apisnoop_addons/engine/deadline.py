"""An end to waiting for whoever accepts a TCP connection and then says nothing: a server, or a proxy before it.

Only until a connection is set up. What it carries may be silent for as long as it likes, watches above all.
"""

from typing import ClassVar

from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.tunnel import TunnelLayer, TunnelState


class Deadline(TunnelLayer):
    """A layer whose handshake has to be over in time."""

    patience: ClassVar[float]
    """Seconds."""
    late: ClassVar[str] = "timed out"
    """What whoever wanted the connection is told."""
    _deadline: commands.RequestWakeup | None = None

    def set_deadline(self) -> CommandGenerator[None]:
        """Ask to be woken when the handshake, which begins now, should be over."""
        self._deadline = commands.RequestWakeup(self.patience)
        yield self._deadline

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if not isinstance(event, events.Wakeup) or event.command is not self._deadline:
            yield from super()._handle_event(event)
        elif self.tunnel_state is TunnelState.ESTABLISHING:
            yield from self.on_handshake_error(self.late)
            yield from self._handshake_finished(self.late)
