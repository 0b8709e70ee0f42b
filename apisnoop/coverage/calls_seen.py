"""How many calls were seen, how they were answered and when. The smallest figure of every report.

Adding is associative and commutative, so it does not matter in which order rows come.
"""

import msgspec


class CallsSeen(msgspec.Struct, frozen=True, gc=False):
    """Calls answered without (`ok`) and with an error (`errors`, also those never answered); epoch seconds, UTC."""

    ok: int = 0
    errors: int = 0
    first: float | None = None
    last: float | None = None

    @property
    def total(self) -> int:
        """All calls, however answered."""
        return self.ok + self.errors

    def __add__(self, other: "CallsSeen") -> "CallsSeen":
        return CallsSeen(
            self.ok + other.ok,
            self.errors + other.errors,
            other.first if self.first is None or (other.first is not None and other.first < self.first) else self.first,
            other.last if self.last is None or (other.last is not None and other.last > self.last) else self.last,
        )


NONE_SEEN = CallsSeen()
