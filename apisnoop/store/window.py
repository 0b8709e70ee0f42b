"""The time window of a question, in whole hours: tallies are kept by the hour, so that is what can be told apart."""

from dataclasses import dataclass

HOUR = 3600
FOREVER = 1 << 40


@dataclass(frozen=True, slots=True)
class Window:
    """Hours since the epoch, `since` included and `until` excluded; None means open."""

    since: int | None = None
    until: int | None = None

    @classmethod
    def of(cls, since: float | None = None, until: float | None = None) -> "Window":
        """Make the smallest window of whole hours that holds every moment from `since` to `until` (epoch seconds)."""
        return cls(
            None if since is None else int(since // HOUR),
            None if until is None else -int(-until // HOUR),
        )

    @property
    def is_open(self) -> bool:
        """Whether everything lies in the window."""
        return self.since is None and self.until is None

    @property
    def bounds(self) -> tuple[int, int]:
        """First hour and the hour after the last, with numbers in place of None."""
        return (
            -FOREVER if self.since is None else self.since,
            FOREVER if self.until is None else self.until,
        )
