"""Whether connections may be led to the proxy at this moment, from what it says of itself. Pure: time is given.

Shed at the first sign, take up again only after a while: to flap would leave one gap after the other in the record.
"""

from dataclasses import dataclass
from enum import Enum

QUIET_SECONDS = 0.75
"""Silence after which new connections go past the proxy: one that is frozen must not take them for a second."""
DEAD_SECONDS = 2.0
"""Silence after which its open connections are broken, so that their clients connect anew."""
LARGEST_LAG = 0.25
"""Seconds by which its event loop may be late."""
RECOVERY_SECONDS = 2.0
"""For how long it has to be well before it gets connections again."""


class State(Enum):
    """What may be done."""

    WELL = "well"
    SHED = "shed"
    """Nothing new is led there; open connections go on."""
    DEAD = "dead"
    """The same, and open connections are broken."""


@dataclass(slots=True)
class Health:
    """Of one proxy. It begins well, at its first words."""

    heard: float
    """When it last said anything (a clock that only goes forward)."""
    ill_until: float = float("-inf")
    why: str = ""
    lag: float = 0.0
    """Seconds by which its event loop was late, as it said last."""

    def beat(self, now: float, lag: float) -> None:
        """Take a sign of life."""
        if now - self.heard > QUIET_SECONDS:
            self._ill(now, f"the proxy said nothing for {now - self.heard:.1f} s")
        self.heard, self.lag = now, lag
        if lag > LARGEST_LAG:
            self._ill(now, f"the proxy is overloaded: {lag * 1000:.0f} ms late")

    def leave(self) -> None:
        """Hear that it ends: it will not be well again."""
        self.why, self.ill_until = "the proxy ends", float("inf")

    def excuse(self, seconds: float) -> None:
        """Leave out a time in which we did not listen ourselves."""
        self.heard += seconds

    def state(self, now: float) -> State:
        """Judge."""
        silence = now - self.heard
        if silence > QUIET_SECONDS:
            self._ill(now, f"the proxy has said nothing for {QUIET_SECONDS:g} s")
            return State.DEAD if silence > DEAD_SECONDS else State.SHED
        return State.SHED if now < self.ill_until else State.WELL

    def _ill(self, now: float, why: str) -> None:
        if now >= self.ill_until:
            self.why = why
        self.ill_until = max(self.ill_until, now + RECOVERY_SECONDS)
