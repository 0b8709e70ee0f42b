"""What our HTTP layers tell one another beyond mitmproxy's HTTP events and commands."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mitmproxy.proxy.commands import CloseConnection
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ErrorCode, ResponseProtocolError

if TYPE_CHECKING:
    from mitmproxy.http import Headers, Request

REPLAY_LIMIT = 2**20
"""Bytes of a request's body that are kept until its answer begins, in case it has to be sent again."""


@dataclass(slots=True)
class Sent:
    """What has been sent upstream of a request that has no answer yet; enough to send it again."""

    request: "Request"
    end_stream: bool
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    trailers: "Headers | None" = None
    ended: bool = False

    def add(self, data: bytes) -> None:
        """Keep a piece of the body, or give up on the whole if it is too much."""
        self.size += len(data)
        if self.complete:
            self.chunks.append(data)
        else:
            self.chunks.clear()

    @property
    def complete(self) -> bool:
        """True while all of the body is at hand."""
        return self.size <= REPLAY_LIMIT


class UpstreamFailed(ResponseProtocolError):  # noqa: N818  an event, named as mitmproxy names them
    """No answer, or no more of it, will come for a call over the connection that it was sent on.

    `sent` is what had been sent; None: the answer had begun. `unprocessed`: the server has said that it did not act on
    the request, so any request may be sent again. `reused`: the connection had served calls before, so the server may
    have closed it for idleness without having seen this one. `alone`: no other call of the client is left that goes
    well, so that its connection may be cut, as the server's was.
    """

    def __init__(
        self, stream_id: int, message: str, *, sent: Sent | None, unprocessed: bool = False, reused: bool = False
    ) -> None:
        super().__init__(stream_id, message, ErrorCode.KILL)
        self.sent = sent
        self.unprocessed = unprocessed
        self.reused = reused
        self.alone = False


class StreamReset(ResponseProtocolError):  # noqa: N818  as above
    """The server has reset one HTTP/2 stream; its error code is passed on to an HTTP/2 client as it is."""

    def __init__(self, stream_id: int, message: str, h2_code: int) -> None:
        super().__init__(stream_id, message, ErrorCode.KILL)
        self.h2_code = h2_code


@dataclass
class HoldBack(HttpEvent):
    """Whoever sends this stream's data on is stuck: let no more of it come."""

    stream_id: int
    to_client: bool
    """Which direction is stuck."""


@dataclass
class LetCome(HttpEvent):
    """The opposite of `HoldBack`."""

    stream_id: int
    to_client: bool


@dataclass
class EndSending(HttpEvent):
    """Nothing more will be sent in this direction of an upgraded connection; the other goes on."""

    stream_id: int


class Break(CloseConnection):
    """Close a connection so that the peer notices that something is missing: without TLS's closing alert."""
