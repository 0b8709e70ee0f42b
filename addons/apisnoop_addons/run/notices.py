"""What a run tells its user on standard error, each thing once, and never on the command's standard output."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_MOST = 50
"""Different notices of each kind; a command that fails in ever new ways should not bury its own output."""


class Notices:
    """Tells one line at a time, the same one only once."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None) -> None:
        """`quiet` keeps back what is only good to know."""
        self._quiet = quiet
        self._is_muted = False
        self._stream = stream or sys.stderr
        self._told: dict[bool, set[str]] = {True: set(), False: set()}
        """By whether the quiet are told, too: what is only good to know must not use up the room of what went wrong."""

    def tell(self, text: str, *, always: bool = False) -> None:
        """Tell a line, unless it was told before.

        `always` for what is told to the quiet too: what went wrong, and what was asked for.
        """
        told = self._told[always]
        if self._is_muted or (self._quiet and not always) or self._was_told(text) or len(told) >= _MOST:
            return
        told.add(text)
        # One write: the command writes to the same terminal.
        self._stream.write(f"apisnoop run: {text}\n")
        self._stream.flush()

    def _was_told(self, text: str) -> bool:
        return any(text in told for told in self._told.values())

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """Take over what is logged inside, which would go to standard error as it is."""
        root, handler = logging.getLogger(), FaultHandler(self)
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Tell nothing inside, and do not count it as told."""
        self._is_muted = True
        try:
            yield
        finally:
            self._is_muted = False


class FaultHandler(logging.Handler):
    """Tells faults that the proxy logs, which are our own mistakes, one line each.

    What it warns of is left out: failed connections are told as notices, in better words.
    """

    def __init__(self, notices: Notices) -> None:
        super().__init__(logging.ERROR)
        self._notices = notices

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        self._notices.tell(f"{record.getMessage()}; this is a mistake in apisnoop, please report it", always=True)
