"""One socket of a driver, as asyncio sees it."""

import asyncio
import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from mitmproxy.connection import Connection, ConnectionState
from mitmproxy.proxy import events

from apisnoop_addons.engine.limits import READ_AT_ONCE

if TYPE_CHECKING:
    from apisnoop_addons.engine.driver import Driver

WRITE_LIMIT = 32 * 2**20
"""Bytes that may wait for one peer. Only one that sends without ever reading can make it so many; it is cut off."""


class Link(asyncio.Protocol):
    """A connection object, its transport, and whether data may pass in either direction."""

    driver: "Driver"
    connection: Connection
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.taking = True
        """The peer takes what is written to it."""
        self.held = False
        """The layers want nothing from this peer for now."""
        self.read_ended = False
        """The layers have had this connection's ConnectionClosed."""
        self._unwritten: list[bytes] = []

    def connect(self, driver: "Driver", connection: Connection) -> None:
        """Say whose socket this is."""
        self.driver = driver
        self.connection = connection

    def write(self, data: bytes) -> bool:
        """Take data to be written at the next `flush`. Return True if there was none before."""
        self._unwritten.append(data)
        return len(self._unwritten) == 1

    def flush(self) -> None:
        """Write all that was taken, in one piece."""
        pieces, self._unwritten = self._unwritten, []
        if not pieces or self.transport.is_closing():
            return
        self.transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if not self.taking and self.transport.get_write_buffer_size() > WRITE_LIMIT:
            self.transport.abort()

    def end_writing(self) -> None:
        """Write what was taken, and tell the peer that nothing more will come."""
        self.flush()
        self.connection.state &= ~ConnectionState.CAN_WRITE
        try:
            self.transport.write_eof()
        except OSError:  # the peer has reset the connection, which has not been read yet
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self._read_at_once(READ_AT_ONCE)

    def data_received(self, data: bytes) -> None:
        """Give the driver what has arrived."""
        driver = self.driver
        driver.handle(events.DataReceived(self.connection, data))
        self._read_at_once(driver.client.arrived(len(data)))

    def _read_at_once(self, most: int) -> None:
        self.transport.max_size = most  # type: ignore[attr-defined]  # of asyncio's transports for sockets

    def eof_received(self) -> bool:
        """Note that the peer sends no more. The other direction stays open until the layers close it.

        The layers may hear it later, when others have had their turn, but nobody takes it for open meanwhile.
        """
        if self.connection.state & ConnectionState.CAN_READ:  # asyncio tells it again after a pause
            self.connection.state &= ~ConnectionState.CAN_READ
            self.driver.client.ended(partial(self.driver.read_end, self))
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  why it is lost does not matter
        """Note that the socket is about to be closed, whoever did it.

        What is unread then makes its end a reset. The kernel keeps a translated connection that was only reset by us
        for ten seconds, and leads one that its client opens from the same port in that time to our listener again,
        which may be closed by then. One whose end was told first makes room for another.
        """
        with suppress(OSError):  # the peer has ended it, too
            self.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
        if hasattr(self, "driver"):  # else it was closed as soon as it was accepted
            self.driver.lost(self)

    def pause_writing(self) -> None:
        """Note that the peer does not keep up."""
        self.taking = False
        self.driver.balance()

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.taking = True
        self.driver.balance()
