"""A program and what is said to it: start, expect, send, interrupt, finish; waiting is for output, never for time."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

SECONDS = 60.0
CHUNK = 1 << 16
SHOWN = 2000
"""Bytes of what was said, in the message of a failure."""
SIZE = (40, 120)
"""Rows and columns of a terminal."""
CLOSED = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: its standard output, and its exit code as a shell tells it (128 + n for signal n)."""

    stdout: bytes
    status: int


class Conversation:
    """A running program, in a session of its own so that nothing it starts outlives the conversation."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, terminal: bool = False) -> None:
        """Start a program with pipes or, with `terminal`, with a terminal for standard input and output."""
        self.stdout = b""
        self.stderr = b""
        self._expected = 0
        self._input, self._output, (stdin, stdout) = _terminal() if terminal else _pipes()
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,  # noqa: PLW1509  no other thread is here
        )
        for descriptor in {stdin, stdout}:
            os.close(descriptor)
        assert self._process.stderr is not None
        self._errors = self._process.stderr.fileno()
        self._open = {self._output, self._errors}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if error is not None:
            said, erred = (text[-SHOWN:].decode(errors="replace") for text in (self.stdout, self.stderr))
            error.add_note(f"standard output: ...{said!r}\nstandard error: ...{erred}")
        assert self._process.stderr is not None
        self._process.stderr.close()
        for descriptor in {self._input, self._output} - {CLOSED}:
            os.close(descriptor)

    def expect(self, text: bytes) -> None:
        """Wait until standard output has this text behind everything that was expected before."""
        deadline = time.monotonic() + SECONDS
        while (found := self.stdout.find(text, self._expected)) < 0:
            if self._output not in self._open:
                raise EOFError(f"standard output ended before {text!r}")
            self._receive(deadline)
        self._expected = found + len(text)

    def expect_told(self, text: bytes) -> None:
        """Wait until standard error has this text."""
        deadline = time.monotonic() + SECONDS
        while text not in self.stderr:
            if self._errors not in self._open:
                raise EOFError(f"standard error ended before {text!r}")
            self._receive(deadline)

    def send(self, text: bytes) -> None:
        """Write to standard input, or type in the terminal."""
        os.write(self._input, text)

    def end_input(self) -> None:
        """Close standard input, which must be a pipe."""
        os.close(self._input)
        self._input = CLOSED

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program that was started, and not to its children. (Type Ctrl-C to reach them too.)"""
        self._process.send_signal(number)

    def finish(self, seconds: float = SECONDS) -> Outcome:
        """Wait, so long, for the end of output and program."""
        deadline = time.monotonic() + seconds
        while self._open:
            self._receive(deadline)
        status = self._process.wait(max(0.0, deadline - time.monotonic()))
        return Outcome(self.stdout, status if status >= 0 else 128 - status)

    def _receive(self, deadline: float) -> None:
        """Take what there is of output and errors, waiting until there is some."""
        readable, _, _ = select.select(self._open, [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError("nothing more was said in the time that it had")
        for descriptor in readable:
            taken = _read(descriptor)
            if not taken:
                self._open.remove(descriptor)
            elif descriptor == self._output:
                self.stdout += taken
            else:
                self.stderr += taken


def _pipes() -> tuple[int, int, tuple[int, int]]:
    """Give our ends of standard input and output, and the program's."""
    stdin, ours = os.pipe()
    output, stdout = os.pipe()
    return ours, output, (stdin, stdout)


def _terminal() -> tuple[int, int, tuple[int, int]]:
    """Give the same with a terminal, whose two ends are each for both directions."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, SIZE)
    return ours, ours, (theirs, theirs)


def _take_terminal() -> None:
    """In the child: make standard input the session's terminal, which typed signals and resizing need."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError as error:
        if error.errno != errno.EIO:  # the last user of a terminal is gone
            raise
        return b""
