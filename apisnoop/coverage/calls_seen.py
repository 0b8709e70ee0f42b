"""How many calls were seen, how they were answered and when. The smallest figure of every report.

Adding is associative and commutative, so it does not matter in which order rows come.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallsSeen:
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
            min((time for time in (self.first, other.first) if time is not None), default=None),
            max((time for time in (self.last, other.last) if time is not None), default=None),
        )


NONE_SEEN = CallsSeen()
