"""What our layers command the driver beyond mitmproxy's commands."""

from mitmproxy.connection import Connection
from mitmproxy.proxy.commands import ConnectionCommand


class HoldReading(ConnectionCommand):
    """Read nothing from a connection, or read it again."""

    def __init__(self, connection: Connection, hold: bool) -> None:
        super().__init__(connection)
        self.hold = hold


class Upgraded(ConnectionCommand):
    """A connection carries a protocol of its own from now on, in which a peer may rightly stop reading for hours."""
