"""Counting the pieces of a log: what does it, here or elsewhere, looks the same to who reads the log."""

from typing import NamedTuple, Protocol

from apisnoop.calls.audit.counter import AuditCounter, Counted
from apisnoop.calls.inputs.lines import Block


class Span(NamedTuple):
    """A stretch of a file that begins and ends with a line."""

    position: int
    size: int


class Counting(Protocol):
    """Counts pieces; what it counted is taken from time to time."""

    @property
    def is_parallel(self) -> bool:
        """Whether it takes spans, and wants pieces that are large and numbered."""

    @property
    def size(self) -> int:
        """Tallies and beginnings not yet taken, as far as is known."""

    def count(self, piece: Block | Span, number: int) -> None:
        """Count a piece of the log; pieces have ascending numbers."""

    def take(self) -> list[Counted]:
        """Give what was counted since the last time."""

    def close(self) -> None:
        """End counting; what was not taken is lost."""


class Local:
    """Counts in this process, blocks only."""

    is_parallel = False

    def __init__(self, counter: AuditCounter) -> None:
        self.counter = counter

    def count(self, piece: Block | Span, number: int) -> None:
        """Count a block."""
        assert isinstance(piece, Block)
        count_block(self.counter, piece, number)

    @property
    def size(self) -> int:
        """Tallies and beginnings not yet taken."""
        return self.counter.size

    def take(self) -> list[Counted]:
        """Give what was counted since the last time."""
        return [self.counter.take()]

    def close(self) -> None:
        """Nothing to end."""


def count_block(counter: AuditCounter, block: Block, number: int) -> None:
    """Count a block of lines, or note a line that was too long."""
    if block.data:
        counter.count_block(block.data, number)
    else:
        counter.skip_line(block.size, number)
