"""The init container's question, answered inside the pod: is this pod recorded yet?

A listening socket on the pod's loopback. Whoever connects gets one line as soon as there is an answer, and not before:
`enrolled`, or `skipped: ` and why (`wait`). It is open only while the pod has not started its own containers.
"""

import asyncio
import socket
from contextlib import suppress

MOST_WAITING = 16
"""Connections; whatever else may run in the pod cannot fill our descriptors."""


class Probe:
    """Use inside the running event loop; `sock` is the listening socket, which is closed with it."""

    def __init__(self, sock: socket.socket) -> None:
        self._listening = sock
        self._waiting: list[socket.socket] = []
        self._answer = ""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._accept)

    def answer(self, text: str) -> None:
        """Tell all who wait and all who come; empty: there is no answer yet."""
        self._answer = text
        if text:
            waiting, self._waiting = self._waiting, []
            for sock in waiting:
                _finish(sock, text)

    def close(self) -> None:
        """Answer nobody any more."""
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for sock in self._waiting:
            sock.close()
        self._waiting.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            sock, _ = self._listening.accept()
            sock.setblocking(False)
            if self._answer:
                _finish(sock, self._answer)
                return
            self._waiting.append(sock)
            if len(self._waiting) > MOST_WAITING:
                self._waiting.pop(0).close()


def _finish(sock: socket.socket, text: str) -> None:
    with sock, suppress(OSError):
        sock.send(text.encode() + b"\n")  # a fresh connection takes a line at once
