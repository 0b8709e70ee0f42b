"""A line of progress on a terminal: bytes, rate and time left. Nothing is written where nobody watches."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import TextIO

from apisnoop.calls.inputs.source import Source

PER_SECOND = 5
UNITS = ("B", "kB", "MB", "GB", "TB")


class Progress:
    """Shows how far an import is; call it with the source now and then, and `clear` before writing anything else."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._is_on = self._stream.isatty()
        self._source: Source | None = None
        self._began = self._shown = 0.0
        self._skipped = 0
        self._is_visible = False

    def __call__(self, source: Source) -> None:
        """Show the state of a source, if the last time is long enough ago."""
        if not self._is_on:
            return
        now = self._clock()
        if source is not self._source:
            self._source, self._began, self._skipped = source, now, source.consumed
        if now - self._shown >= 1 / PER_SECOND:
            self._shown = now
            text = describe(
                source.name, source.consumed, source.size, source.consumed - self._skipped, now - self._began
            )
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()
            self._is_visible = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_visible = False


def describe(name: str, done: int, size: int | None, done_now: int, seconds: float) -> str:
    """Tell in a line how far a file is read: bytes, share, rate and time left, as far as they are known."""
    rate = done_now / seconds if seconds > 0 else 0.0
    parts = [f"{name[-40:]}  {bytes_text(done)}"]
    if size:
        parts[0] += f" of {bytes_text(size)}"
        parts.append(f"{min(100, 100 * done // size)}%")
    if rate:
        parts.append(f"{bytes_text(rate)}/s")
        if size:
            parts.append(f"{time_text(max(0.0, (size - done) / rate))} left")
    return "  ".join(parts)


def bytes_text(size: float) -> str:
    """Write a number of bytes for people, e.g. 1.2 GB."""
    for unit in UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {UNITS[-1]}"


def time_text(seconds: float) -> str:
    """Write a duration for people, e.g. 2m05s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
