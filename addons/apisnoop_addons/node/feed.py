"""The proxy's end of the wire to the viewer: hands redacted copies of calls to whoever is connected, and never waits.

A person cannot follow more than some calls a second, and making copies takes longer than recording: so only so many
calls a second are shown at all, none while nobody is connected, and none while the viewer is behind. What is left out
is counted, and the viewer is told. It is not lost: this is not what records.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from mitmproxy.http import HTTPFlow

from apisnoop.causes import cause_of
from apisnoop_addons.web.wire import Loss, encode_copy, encode_loss

MOST_WAITING = 4 * 2**20
"""Bytes on their way to the viewer; while there are more, nothing is shown."""
TELL_SECONDS = 1.0
"""How long after the first call that was left out the viewer is told."""

_SHOWN = "apisnoop.shown"

logger = logging.getLogger(__name__)


class Allowance:
    """So many a second, and as many again at once after a quiet second."""

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._clock = clock
        self._left = float(per_second)
        self._counted = clock()

    def take(self) -> bool:
        """Take one, if there is one left."""
        now = self._clock()
        self._left = min(float(self._per_second), self._left + (now - self._counted) * self._per_second)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Feed:
    """Use in one event loop: `open`, then `Redact(feed.show, feed.wants)` as an addon, `close`.

    It needs a folder that only the proxy and the viewer can see into: there is no other login.
    """

    def __init__(self, path: Path, calls_per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_out = 0
        """Calls that were not shown although a viewer was connected."""
        self._path = path
        self._allowance = Allowance(calls_per_second, clock)
        self._server: asyncio.Server | None = None
        self._viewer: asyncio.StreamWriter | None = None
        self._told = 0
        self._telling: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Begin to listen. Where that cannot be, calls are recorded all the same, and the log says why."""
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
            self._path.chmod(0o660)
        except OSError as error:
            logger.error("nothing is shown: socket %s cannot be made: %s", self._path, cause_of(error))  # noqa: TRY400

    def close(self) -> None:
        """Let the viewer go."""
        if self._telling is not None:
            self._telling.cancel()
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        if self._viewer is not None:
            self._viewer.transport.abort()

    # -- what Redact calls --------------------------------------------------------------------------------------

    def wants(self, flow: HTTPFlow) -> bool:
        """Tell whether a call is shown: decided once for each, when there is first something to show of it."""
        if self._viewer is None:
            return False
        shown = flow.metadata.get(_SHOWN)
        if shown is None:
            shown = flow.metadata[_SHOWN] = not self._is_behind(self._viewer) and self._allowance.take()
            if not shown:
                self._leave_out()
        return bool(shown)

    def show(self, copy: HTTPFlow) -> None:
        """Hand out a redacted copy, if the viewer can take it."""
        if self._viewer is None:
            return
        try:
            message = encode_copy(copy)
        except ValueError:
            self._leave_out()
            return
        if self._is_behind(self._viewer):
            self._leave_out()
        else:
            self._viewer.write(message)

    # -- the viewer ---------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, viewer: asyncio.StreamWriter) -> None:
        """Hold a viewer until it goes or another comes. It has nothing to say; if it says something, it goes, too."""
        if self._viewer is not None:
            self._viewer.transport.abort()
        self._viewer = viewer
        logger.info("a viewer is connected")
        with contextlib.suppress(OSError):
            await reader.read(1)
        viewer.transport.abort()
        if self._viewer is viewer:
            self._viewer = None
            logger.info("the viewer has gone")

    def _is_behind(self, viewer: asyncio.StreamWriter) -> bool:
        return viewer.transport.get_write_buffer_size() > MOST_WAITING

    def _leave_out(self) -> None:
        self.left_out += 1
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        self._telling = None
        if self._viewer is not None and self._is_behind(self._viewer):
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)
        elif self._viewer is not None:
            self._viewer.write(encode_loss(Loss(self.left_out - self._told)))
            self._told = self.left_out
