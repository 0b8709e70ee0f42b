"""The wire between proxy and viewer."""

import asyncio

import pytest
from mitmproxy.http import HTTPFlow

from apisnoop_addons.redact import redacted_copy
from apisnoop_addons.web.wire import LARGEST, Copy, Loss, encode_copy, encode_loss, read_message
from tests.addons.web.viewing import made_flow
from tests.looped import in_loop


def fed(*pieces: bytes) -> asyncio.StreamReader:
    """Give a reader of what was sent, and then ended."""
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    return reader


@in_loop
async def test_what_is_sent_arrives_in_its_order():
    """Copies and losses, and then the end."""
    sent = encode_copy(redacted_copy(made_flow("/api/v1/nodes")))
    reader = fed(sent, encode_loss(Loss(7)), sent)
    first, loss, _ = [await read_message(reader) for _ in range(3)]
    assert isinstance(first, Copy)
    assert first.size == len(sent)
    assert HTTPFlow.from_state(first.state).request.path == "/api/v1/nodes"
    assert loss == Loss(7)
    assert await read_message(reader) is None


@in_loop
async def test_a_message_cut_short_is_the_end():
    """A proxy that was killed in the middle of a message has sent all that there is."""
    assert await read_message(fed(encode_loss(Loss(1))[:-3])) is None


@pytest.mark.parametrize(
    "nonsense",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"99999999999:", b"1234567890123:", b"-5:", b"x" * 100_000],
    ids=["HTTP", "too large", "too long a length", "negative", "no length"],
)
@in_loop
async def test_nonsense_is_told_from_an_end(nonsense):
    """Whatever else speaks here is not waited for, nor kept."""
    with pytest.raises(ValueError, match="feed"):
        await read_message(fed(nonsense))


def test_a_copy_too_large_to_be_looked_at_is_refused():
    """The reader's limit is the sender's, too."""
    flow = redacted_copy(made_flow())
    flow.comment = "x" * LARGEST
    with pytest.raises(ValueError, match="bytes, more than"):
        encode_copy(flow)
