"""The file of `--calls`: a JSON line for each call of a run.

Lines wait in memory for the thread that writes them, up to a limit: a disk that does not answer must not let us grow.
What was not written is counted, and said at the end.
"""

from pathlib import Path
from typing import BinaryIO

from apisnoop.calls.call import Call
from apisnoop.calls.call_line import encode_call
from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_addons.writing_thread import WritingThread

MOST_WAITING = 16 * 2**20
"""Bytes of lines that wait to be written, some 40,000 calls; the lines of further calls are left out."""


class CallFile:
    """Use: `open`, `add` and `flush` any number of times, `close`; in one event loop."""

    def __init__(self, path: Path, most_waiting: int = MOST_WAITING) -> None:
        """`most_waiting` is in bytes."""
        self._path = path
        self._most = most_waiting
        self._thread = WritingThread("calls")
        self._file: BinaryIO | None = None
        self._lines: list[bytes] = []
        self._waiting = 0
        self._left_out = 0
        self._failure = ""

    def open(self) -> None:
        """Begin the file anew. Raises ApisnoopError."""
        try:
            self._file = self._path.open("wb")
        except OSError as error:
            raise ApisnoopError(
                f"--calls {self._path} cannot be written: {cause_of(error)}; name another file"
            ) from None

    def add(self, call: Call) -> None:
        """Take a call's line, to be written with the next `flush`."""
        line = encode_call(call)
        if self._waiting + len(line) > self._most:
            self._left_out += 1
            return
        self._lines.append(line)
        self._waiting += len(line)

    def flush(self) -> bool:
        """Begin to write what waits, unless that is still going on with what waited before; tell whether none waits."""
        if self._lines and self._thread.is_free:
            lines = self._take()
            self._thread.begin(lambda: self._write(lines))
        return not self._lines

    async def close(self) -> None:
        """Write what is left."""
        lines = self._take()
        try:
            await self._thread.finish(lambda: self._write(lines))
        finally:
            await self._thread.finish(self._close)
            self._thread.end()

    def trouble(self) -> str:
        """Say what is not in the file, empty if nothing; complete after `close`."""
        if self._failure:
            return f"--calls {self._path} is incomplete: {self._failure}; free some space and run again"
        if self._left_out:
            return (
                f"--calls {self._path} lacks {self._left_out} calls, which came faster than the file could be written; "
                "name one on a faster disk"
            )
        return ""

    def _take(self) -> list[bytes]:
        lines, self._lines, self._waiting = self._lines, [], 0
        return lines

    def _write(self, lines: list[bytes]) -> None:
        if self._file is None or self._failure:
            return
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
        except OSError as error:
            self._failure = cause_of(error)

    def _close(self) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            self._failure = cause_of(error)
