"""Passes signals on to the command of a run; while there is none yet, they end the run."""

import asyncio
import signal
from typing import Protocol

_ENDING = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})


class Receiver(Protocol):
    """A command that has been started."""

    def send(self, number: int) -> None:
        """Send it a signal."""


class Relay:
    """Decides what becomes of each signal. Lives in the event loop; `receive` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.child: Receiver | None = None
        """The command, once it has been started."""
        self.preparing: asyncio.Task[object] | None = None
        """What to cancel while there is no command."""
        self.ended_by: signal.Signals | None = None
        """The signal that ended the run before the command was started."""
        self.interrupted = False
        """Whether somebody pressed Ctrl-C."""
        self._loop = loop

    def receive(self, number: signal.Signals, from_terminal: bool) -> None:
        """Take a signal; one from the terminal has reached the command already."""
        self._loop.call_soon_threadsafe(self._take, number, from_terminal)

    def _take(self, number: signal.Signals, from_terminal: bool) -> None:
        self.interrupted |= from_terminal and number == signal.SIGINT
        if self.child is not None:
            if not from_terminal:
                self.child.send(number)
        elif number in _ENDING and self.preparing is not None:
            self.ended_by = number
            self.preparing.cancel()
