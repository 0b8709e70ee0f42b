"""One end of an HTTP/2 connection that does what a test tells it to, and nothing else."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

Headers = Iterable[tuple[str, str]]


class H2Peer:
    """An HTTP/2 client or server. What arrives is kept until a test asks for it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        client: bool,
        settings: dict[SettingCodes, int] | None = None,
        reads: bool = True,
    ) -> None:
        self.h2 = H2Connection(
            H2Configuration(
                client_side=client,
                header_encoding="utf-8",
                validate_inbound_headers=False,
                validate_outbound_headers=False,
            )
        )
        self.h2.decoder.max_header_list_size = 2**20
        if settings:
            self.h2.local_settings.update(settings)
            self.h2.local_settings.acknowledge()
        self._reader, self._writer = reader, writer
        self._reads = reads
        self._events: list[Event] = []
        self._arrived = asyncio.Condition()
        self.closed = asyncio.Event()
        self.h2.initiate_connection()
        self.flush()
        self._task = asyncio.create_task(self._receive())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def flush(self) -> None:
        """Send what hyper-h2 has made."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._writer.write(self.h2.data_to_send())

    async def close(self) -> None:
        """Close the socket."""
        self._task.cancel()
        self._writer.close()
        with contextlib.suppress(Exception):
            await self._writer.wait_closed()
        self.closed.set()

    # -- a client -----------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Headers = (), end: bool = True
    ) -> int:
        """Send a request and return its stream."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "127.0.0.1")]
        self.h2.send_headers(stream, [*pseudo, *headers], end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    async def status(self, stream: int) -> int:
        """Wait for the head of an answer."""
        return int(dict((await self.expect(ResponseReceived, stream)).headers)[":status"])

    async def answer(self, stream: int) -> tuple[int, bytes]:
        """Wait for a whole answer."""
        status = await self.status(stream)
        return status, await self.body(stream)

    async def fetch(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        """Send a request and wait for its answer."""
        return await self.answer(self.request(method, path, **more))

    # -- a server -----------------------------------------------------------------------------------------------

    async def next_request(self) -> tuple[int, dict[str, str]]:
        """Wait for a request's head; return its stream and headers."""
        event = await self.expect(RequestReceived)
        assert event.stream_id is not None
        return event.stream_id, dict(event.headers)

    def respond(
        self, stream: int, body: bytes = b"", *, status: int = 200, headers: Headers = (), end: bool = True
    ) -> None:
        """Send an answer."""
        self.h2.send_headers(stream, [(":status", str(status)), *headers], end_stream=end and not body)
        if body:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body."""
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def reset(self, stream: int, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """Reset a stream."""
        self.h2.reset_stream(stream, code)
        self.flush()

    def go_away(self, last_stream: int) -> None:
        """Say GOAWAY, and go on with the streams up to that one, which hyper-h2 would not do."""
        self._writer.write(GoAwayFrame(0, last_stream_id=last_stream, error_code=0).serialize())

    # -- either -------------------------------------------------------------------------------------------------

    async def body(self, stream: int) -> bytes:
        """Wait for the end of a message, and return its body."""
        await self.expect(StreamEnded, stream)
        return b"".join(event.data for event in self.take(DataReceived, stream) if event.data)

    async def expect_data(self, stream: int, size: int) -> None:
        """Wait until so many bytes of a body have arrived; they stay to be read."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._size(stream) >= size or self.closed.is_set())
            assert self._size(stream) >= size

    received = expect_data

    async def send_windowed(self, stream: int, data: bytes) -> None:
        """Send a piece of a body when the other end has room for it."""
        while data:
            async with self._arrived:
                await self._arrived.wait_for(lambda: self.h2.local_flow_control_window(stream) > 0)
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            self.send(stream, data[:room])
            data = data[room:]

    def _size(self, stream: int) -> int:
        return sum(len(event.data or b"") for event in self._find(DataReceived, stream))

    async def expect(self, kind: type[Event] | tuple[type[Event], ...], stream: int | None = None) -> Any:
        """Wait for the first event of a kind, and take it out."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self._find(kind, stream) or self.closed.is_set())
            found = self._find(kind, stream)
            assert found, f"the connection was closed without {kind}; there was {self._events}"
            self._events.remove(found[0])
            return found[0]

    def take(self, kind: type[Event], stream: int | None = None) -> list[Any]:
        """Take out all events of a kind that are there."""
        found = self._find(kind, stream)
        self._events = [event for event in self._events if event not in found]
        return found

    def _find(self, kind: type[Event] | tuple[type[Event], ...], stream: int | None) -> list[Any]:
        return [
            event
            for event in self._events
            if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None))
        ]

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(2**18):
                await self._keep(self.h2.receive_data(data))
        async with self._arrived:
            self.closed.set()
            self._arrived.notify_all()

    async def _keep(self, events: Iterable[Event]) -> None:
        async with self._arrived:
            for event in events:
                self._events.append(event)
                if isinstance(event, DataReceived) and self._reads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            self.flush()
            self._arrived.notify_all()


__all__ = ["ConnectionTerminated", "DataReceived", "ErrorCodes", "H2Peer", "StreamReset"]
