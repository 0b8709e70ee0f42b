"""The HTTP/2 framing of one connection: mitmproxy's buffered hyper-h2, made to drain, to hold back and to be quick.

- A GOAWAY does not end the connection for hyper-h2 any more: streams the peer still works on go on.
- Windows are as large as client-go's, not endless, and the two levels can be opened separately (see `inflow`).
- Header blocks may be as large as Go's servers take them.
- What is sent for nearly every call goes past hyper-h2's frame objects and its checks of our own headers.
"""

import struct

from h2.config import H2Configuration
from h2.connection import AllowedStreamIDs, ConnectionInputs
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.exceptions import StreamClosedError, StreamIDTooLowError, TooManyStreamsError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes
from h2.stream import StreamInputs, StreamState
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame, WindowUpdateFrame
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection

from apisnoop_addons.engine.hpack_encoder import QuickEncoder
from apisnoop_addons.engine.limits import MAX_STREAMS

STREAM_WINDOW = 4 * 2**20
"""Bytes a peer may send on one stream ahead of what was passed on; what Go's client allows."""
CONNECTION_WINDOW = 16 * 2**20
MAX_HEADER_LIST = 2**20
"""Go's http.DefaultMaxHeaderBytes."""
_DATA, _HEADERS, _CONTINUATION = 0x0, 0x1, 0x9
_END_STREAM, _END_HEADERS = 0x1, 0x4
_WRITABLE = frozenset({StreamState.OPEN, StreamState.HALF_CLOSED_REMOTE})


class H2Connection(BufferedH2Connection):
    """One HTTP/2 connection's state."""

    MAX_CLOSED_STREAMS = 4 * MAX_STREAMS
    """How many streams that are over hyper-h2 remembers, to forgive frames that crossed their end on the way. Its own
    65,536 let a connection grow by 6 MB while it is used."""

    def __init__(self, config: H2Configuration) -> None:
        super().__init__(config)
        self.encoder = QuickEncoder()
        self.local_settings.initial_window_size = STREAM_WINDOW
        self.local_settings.max_header_list_size = MAX_HEADER_LIST
        self.decoder.max_header_list_size = MAX_HEADER_LIST
        if config.client_side:
            self.local_settings.enable_push = 0
        self.local_settings.acknowledge()  # else the first SETTINGS would still hold the old values

    def limit_streams(self, most: int) -> None:
        """Let the peer have so many streams open at a time. To be said before the connection is initiated."""
        self.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = most
        self.local_settings.acknowledge()

    def held(self) -> int:
        """Count the bytes that wait for the peer: for its windows, or for the rest of a frame or of a header block."""
        waiting = sum(len(piece.data) for pieces in self.stream_buffers.values() for piece in pieces)
        frames = self.incoming_buffer
        return waiting + len(frames._data) + sum(len(frame.data) for frame in frames._headers_buffer)  # noqa: SLF001

    def drop(self) -> None:
        """Let go of all that is held, for nothing more will happen: the collector may take its time with the rest."""
        self.stream_buffers.clear()
        self.incoming_buffer = FrameBuffer()

    def initiate_connection(self) -> None:
        """Send the preface, and open the connection's window to its size."""
        super(BufferedH2Connection, self).initiate_connection()
        self.increment_flow_control_window(CONNECTION_WINDOW - self.inbound_flow_control_window)

    def is_writable(self, stream_id: int) -> bool:
        """Tell whether data may still be sent on a stream."""
        stream = self.streams.get(stream_id)
        return stream is not None and stream.state_machine.state in _WRITABLE

    def is_open(self, stream_id: int) -> bool:
        """Tell whether anything may still happen on a stream."""
        stream = self.streams.get(stream_id)
        return stream is not None and stream.state_machine.state is not StreamState.CLOSED

    # -- sending ------------------------------------------------------------------------------------------------

    def send_message_head(self, stream_id: int, headers: list[tuple[bytes, bytes]], *, end_stream: bool) -> None:
        """Send a request's or a final answer's head. Raise TooManyStreamsError if the peer wants no more streams."""
        stream = self.streams.get(stream_id)
        if stream is None:
            if self.open_outbound_streams >= self.remote_settings.max_concurrent_streams:
                raise TooManyStreamsError
            self.state_machine.process_input(ConnectionInputs.SEND_HEADERS)
            stream = self._begin_new_stream(stream_id, AllowedStreamIDs(self.config.client_side))
            stream.request_method = headers[0][1]  # hyper-h2 wants to know of HEAD, to judge the answer's length
        stream.state_machine.process_input(StreamInputs.SEND_HEADERS)
        if end_stream:
            stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        block, flags = self.encoder.encode(headers), _END_STREAM if end_stream else 0
        largest = self.max_outbound_frame_size
        if len(block) <= largest:
            self._append_frame(_HEADERS, flags | _END_HEADERS, stream_id, block)
            return
        self._append_frame(_HEADERS, flags, stream_id, block[:largest])
        for start in range(largest, len(block), largest):
            last = _END_HEADERS if start + largest >= len(block) else 0
            self._append_frame(_CONTINUATION, last, stream_id, block[start : start + largest])

    def send_data(  # type: ignore[override]  # bytes are all there is here
        self, stream_id: int, data: bytes, end_stream: bool = False, pad_length: None = None
    ) -> None:
        """Send data, or keep what the peer does not take yet."""
        size, stream = len(data), self.streams[stream_id]
        fits = size <= min(stream.outbound_flow_control_window, self.outbound_flow_control_window)
        if not fits or size > self.max_outbound_frame_size or stream_id in self.stream_buffers:
            super().send_data(stream_id, data, end_stream, pad_length)
            return
        if end_stream:
            stream.state_machine.process_input(StreamInputs.SEND_END_STREAM)
        stream.outbound_flow_control_window -= size
        self.outbound_flow_control_window -= size
        self._append_frame(_DATA, _END_STREAM if end_stream else 0, stream_id, data)

    def _append_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._data_to_send += struct.pack(">BHBBL", size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload

    # -- windows ------------------------------------------------------------------------------------------------

    def open_window(self, size: int) -> None:
        """Let the peer send `size` more bytes on the connection as a whole."""
        increment = self._inbound_flow_control_window_manager.process_bytes(size)
        if increment:
            self._prepare_for_sending([WindowUpdateFrame(0, window_increment=increment)])

    def open_stream_window(self, stream_id: int, size: int) -> None:
        """Let the peer send `size` more bytes on a stream, if it is still open."""
        stream = self.streams.get(stream_id)
        if stream is not None and stream.open:
            self._prepare_for_sending(stream.acknowledge_received_data(size))

    # -- receiving ----------------------------------------------------------------------------------------------

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        terminated = ConnectionTerminated()
        terminated.error_code = frame.error_code
        terminated.last_stream_id = frame.last_stream_id
        return [], [terminated]

    def _receive_frame(self, frame: Frame) -> list[Event]:
        """Handle a frame as hyper-h2 does, but for writing every frame out for a log that nobody keeps."""
        events: list[Event]
        try:
            answers, events = self._frame_dispatch_table[type(frame)](frame)
        except (StreamClosedError, StreamIDTooLowError) as error:
            if not self._stream_is_closed_by_reset(error.stream_id):
                raise
            answers = [RstStreamFrame(error.stream_id, error_code=ErrorCodes.STREAM_CLOSED)]
            events = list(getattr(error, "_events", ()))
        if answers:
            self._prepare_for_sending(answers)
        return events
