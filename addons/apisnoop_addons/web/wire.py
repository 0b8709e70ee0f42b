"""The wire between who has calls to show and who shows them: one tnetstring after the other, in one direction.

Most are flow states as mitmproxy writes them to files; a state with a known id takes the earlier one's place. Now and
then one says how many calls were left out.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from mitmproxy.http import HTTPFlow
from mitmproxy.io import tnetstring

LARGEST = 2**20
"""Bytes of one message. Copies have some thousand, with the bodies of those who asked for them 130,000."""
_LONGEST_LENGTH = 12
"""Digits of a tnetstring's length."""
_LOSS = "apisnoop-loss"


@dataclass(frozen=True, slots=True)
class Copy:
    """A call to be shown, or what has become of it since."""

    state: dict[str, Any]
    """As `HTTPFlow.set_state` takes it."""
    size: int
    """Bytes that it took on the wire."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Calls that are not shown."""

    calls: int


def encode_copy(copy: HTTPFlow) -> bytes:
    """Write a redacted copy of a flow. Raises ValueError for one that is larger than `LARGEST`."""
    message = tnetstring.dumps(cast("Any", copy.get_state()))
    if len(message) > LARGEST:
        raise ValueError(f"the copy of {copy.id} has {len(message)} bytes, more than {LARGEST}")
    return message


def encode_loss(loss: Loss) -> bytes:
    """Write how many calls are not shown."""
    return tnetstring.dumps({"type": _LOSS, "calls": loss.calls})


async def read_message(reader: asyncio.StreamReader) -> Copy | Loss | None:
    """Read the next message; None at the end. Raises ValueError for what is none."""
    try:
        length = await reader.readuntil(b":")
        rest = await reader.readexactly(_announced(length) + 1)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise ValueError("the feed has bytes that are no message") from None
    content = cast("dict[str, Any]", tnetstring.loads(length + rest))
    if content["type"] == _LOSS:
        return Loss(content["calls"])
    return Copy(content, len(length) + len(rest))


def _announced(length: bytes) -> int:
    if len(length) > _LONGEST_LENGTH or not length[:-1].isdigit() or int(length[:-1]) > LARGEST:
        raise ValueError(f"the feed announces a message of {length[:_LONGEST_LENGTH]!r} bytes")
    return int(length[:-1])
