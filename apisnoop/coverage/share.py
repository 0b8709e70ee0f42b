"""A share: how many of some operations were hit, under both ways of counting an answer that was an error.

Both numbers always travel together, so that no report can show one and hide the other.
"""

from dataclasses import dataclass
from enum import StrEnum


class Count(StrEnum):
    """Which calls make an operation hit."""

    OK = "ok"
    """Calls answered without an error (status 100 to 399)."""
    ANY = "any"
    """All calls, also those answered with an error or not at all."""


@dataclass(frozen=True, slots=True)
class Share:
    """Operations hit out of a total; `ok` is never more than `any`, nor `any` than `total`."""

    total: int = 0
    ok: int = 0
    any: int = 0

    def hit(self, count: Count) -> int:
        """Give the number of operations hit."""
        return self.ok if count is Count.OK else self.any

    def percent(self, count: Count) -> float | None:
        """Give the percentage hit, 0 to 100; None where there is nothing to hit."""
        return 100.0 * self.hit(count) / self.total if self.total else None

    def __add__(self, other: "Share") -> "Share":
        return Share(self.total + other.total, self.ok + other.ok, self.any + other.any)


def share_of(ok: int, errors: int) -> Share:
    """Give the share of one operation that was answered `ok` times without and `errors` times with an error."""
    return Share(1, int(ok > 0), int(ok + errors > 0))
