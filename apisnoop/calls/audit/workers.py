"""Counting in processes of their own, for more lines a second than one core gives.

Workers are forks that share nothing: each is handed pieces of a log, counts into a batch of its own, and hands that
over when it is asked to. A piece is a span of a plain file, which the worker reads itself, or bytes.
"""

import gc
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection, wait

from apisnoop.calls.audit.counter import AuditCounter, Counted
from apisnoop.calls.audit.counting import Span, count_block
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.lines import Block, LineBlocks
from apisnoop.calls.reader import Matcher

QUEUED = 2
"""Pieces a worker has at hand: the one it counts and the next."""


class Workers:
    """Counts in `jobs` processes. Pieces of one log have ascending numbers."""

    is_parallel = True

    def __init__(self, matcher: Matcher, jobs: int, file: int | None) -> None:
        context = multiprocessing.get_context("fork")
        self._free: list[Connection] = []
        self._connections: list[Connection] = []
        self._sizes: dict[Connection, int] = {}
        self._processes = []
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            # Every fork inherits our ends of the pipes made before it: it must close them, or no worker would ever
            # see the end of its own when we are gone.
            arguments = (theirs, [*self._connections, ours], matcher, file)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._connections.append(ours)
            self._processes.append(process)
        self._free = self._connections * QUEUED

    def count(self, piece: Block | Span, number: int) -> None:
        """Hand over a piece, waiting until a worker has room for it."""
        while not self._free:
            self._receive()
        worker = self._free.pop()
        try:
            worker.send((number, piece))
        except OSError as error:
            raise _died() from error

    def _receive(self) -> None:
        for ready in wait(self._connections):
            assert isinstance(ready, Connection)
            try:
                self._sizes[ready] = ready.recv()
            except EOFError as error:
                raise _died() from error
            self._free.insert(0, ready)

    @property
    def size(self) -> int:
        """Tallies and beginnings that the fullest worker has not handed over, as far as it has told."""
        return max(self._sizes.values(), default=0)

    def take(self) -> list[Counted]:
        """Wait until all pieces are counted and give what was counted since the last time."""
        while len(self._free) < len(self._connections) * QUEUED:
            self._receive()
        self._sizes.clear()
        try:
            for worker in self._connections:
                worker.send(None)
            return [worker.recv() for worker in self._connections]
        except (EOFError, OSError) as error:
            raise _died() from error

    def close(self) -> None:
        """End the workers; what was not taken is lost."""
        for worker in self._connections:
            worker.close()
        for process in self._processes:
            process.join()


def _work(connection: Connection, others: list[Connection], matcher: Matcher, file: int | None) -> None:
    """Run a worker until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to us too; our parent decides
    for other in others:
        other.close()
    # Counting makes no cycles, and looking for some writes to every page that is shared with our parent.
    gc.disable()
    counter = AuditCounter(matcher)
    while True:
        try:
            task: tuple[int, Block | Span] | None = connection.recv()
            if task is None:
                connection.send(counter.take())
                continue
            number, piece = task
            if isinstance(piece, Span):
                _count_span(counter, piece, number, file)
            else:
                count_block(counter, piece, number)
            connection.send(counter.size)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _count_span(counter: AuditCounter, span: Span, number: int, file: int | None) -> None:
    position, end = span.position, span.position + span.size

    def read(size: int) -> bytes:
        nonlocal position
        chunk = os.pread(file or 0, min(size, end - position), position)
        position += len(chunk)
        return chunk

    for block in LineBlocks(read):
        count_block(counter, block, number)


def _died() -> InputError:
    return InputError(
        "a process that counted has died (out of memory?): run the command again with --jobs 1; "
        "it continues where the store was last brought up to date"
    )
