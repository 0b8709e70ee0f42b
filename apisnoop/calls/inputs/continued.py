"""Reading a growing file on, making sure that it is still the file that was read before.

A file may be emptied and written anew at any moment (`copytruncate` of logrotate), and have grown beyond the place
where reading stood by the time anybody looks again: its size then tells nothing. Every read therefore takes the last
bytes before that place along, in one call with what is new, and compares them with what they were.
"""

import os

from apisnoop.calls.inputs.lines import TAIL
from apisnoop.calls.inputs.source import Source


class Continued:
    """A plain file, read on from a position; `tail` are the last bytes before it."""

    def __init__(self, source: Source, position: int, tail: bytes) -> None:
        self._source = source
        self._position = position
        self._tail = tail
        self.is_rewritten = False
        """Whether what was read is no longer there; from then on nothing more is read."""

    def read(self, size: int) -> bytes:
        """Give at most `size` bytes more; none if there are none yet, or the file is no longer the same."""
        known = len(self._tail)
        found = os.pread(self._source.fileno(), known + size, self._position - known)
        if self.is_rewritten or not found.startswith(self._tail):
            self.is_rewritten = True
            return b""
        chunk = found[known:]
        self._position += len(chunk)
        self._source.consumed = self._position
        self._tail = (self._tail + chunk[-TAIL:])[-TAIL:]
        return chunk
