"""What our layers command the driver beyond mitmproxy's commands.

No ConnectionCommands, although about connections: mitmproxy's tunnels let no such command pass that is new to them.
"""

from mitmproxy.connection import Connection
from mitmproxy.proxy.commands import Command


class HoldReading(Command):
    """Read nothing from a connection, or read it again."""

    def __init__(self, connection: Connection, hold: bool) -> None:
        self.connection = connection
        self.hold = hold


class Upgraded(Command):
    """The connection to the server carries a protocol of its own now, in which a peer may stop reading for hours."""
