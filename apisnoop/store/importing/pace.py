"""How often an import commits."""

from typing import NamedTuple


class Pace(NamedTuple):
    """When to commit: a kill costs reading so much again, never a count."""

    seconds: float = 15.0
    tallies: int = 30_000
