"""What a browser is told while it looks on. One that does not listen is let go: mitmweb would keep for it for ever."""

import asyncio

from mitmproxy.tools.web.app import ClientConnection
from tornado.websocket import WebSocketClosedError

MOST_WAITING = 8 * 2**20
"""Bytes that may wait for one browser."""
MOST_BROWSERS = 8
"""That look on at a time, of those who have logged in."""
GOING_AWAY, TOO_MANY, TOO_SLOW = 1001, 1008, 1013
"""https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number"""


class Updates(ClientConnection):
    """mitmweb's connection to a browser, within bounds."""

    waiting = 0
    """Bytes on their way to it."""
    ended = False

    def open(self, *args: str, **kwargs: str) -> None:
        """Begin, unless there are too many already."""
        super().open(*args, **kwargs)  # type: ignore[no-untyped-call]
        if len(self.connections) > MOST_BROWSERS:
            self._end(TOO_MANY, "too many browsers look on")

    def send(self, message: bytes) -> None:
        """Send a message some time, or end the connection."""
        if self.ended:
            return
        self.waiting += len(message)
        if self.waiting > MOST_WAITING:
            self._end(TOO_SLOW, "too slow to look on; load the page again")
            return
        super().send(message)

    async def send_task(self) -> None:
        """Send what waits, one after the other."""
        while True:
            message = await self._send_queue.get()
            try:
                await self.write_message(message)
            except WebSocketClosedError:
                self.on_close()  # type: ignore[no-untyped-call]
            self.waiting -= len(message)

    def leave(self, code: int, reason: str) -> None:
        """End the connection, and drop what waits for it."""
        self.on_close()  # type: ignore[no-untyped-call]
        self._send_queue = asyncio.Queue()
        self.close(code, reason)

    def _end(self, code: int, reason: str) -> None:
        self.ended = True
        # Later: whoever tells all connections something walks through them just now.
        asyncio.get_running_loop().call_soon(self.leave, code, reason)
