"""Whether connections may be led to the proxy at this moment, from what it says of itself. Pure: time is given.

Shed at the first sign, take up again only after a while: to flap would leave one gap after the other in the record.
"""

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


class Health:
    """Of the workers of one proxy, by number. They accept on the same sockets: one that is ill makes all of them so."""

    def __init__(self) -> None:
        self.why = ""
        """What was wrong last."""
        self._heard: dict[int, float] = {}
        """When each last said anything (a clock that only goes forward)."""
        self._lags: dict[int, float] = {}
        self._leaving: set[int] = set()
        self._ill_until = float("-inf")

    @property
    def lag(self) -> float:
        """Seconds by which event loops are late, as they said last; of several the worst."""
        return max(self._lags.values(), default=0.0)

    def join(self, worker: int, now: float) -> None:
        """Take in a worker. It begins well, at its first words."""
        self._heard[worker], self._lags[worker] = now, 0.0

    def forget(self, worker: int) -> None:
        """Hear that one has gone."""
        self._heard.pop(worker, None)
        self._lags.pop(worker, None)
        self._leaving.discard(worker)

    def beat(self, worker: int, now: float, lag: float) -> None:
        """Take a sign of life."""
        silence = now - self._heard[worker]
        if silence > QUIET_SECONDS:
            self._ill(now, f"the proxy said nothing for {silence:.1f} s")
        self._heard[worker], self._lags[worker] = now, lag
        if lag > LARGEST_LAG:
            self._ill(now, f"the proxy is overloaded: {lag * 1000:.0f} ms late")

    def leave(self, worker: int) -> None:
        """Hear that one ends: nothing is well again before it has gone."""
        self.why = "the proxy ends"
        self._leaving.add(worker)

    def excuse(self, seconds: float) -> None:
        """Leave out a time in which we did not listen ourselves."""
        self._heard = {worker: heard + seconds for worker, heard in self._heard.items()}

    def state(self, now: float) -> State:
        """Judge. There is at least one."""
        silence = now - min(self._heard.values())
        if silence > QUIET_SECONDS:
            self._ill(now, f"the proxy has said nothing for {QUIET_SECONDS:g} s")
            return State.DEAD if silence > DEAD_SECONDS else State.SHED
        return State.SHED if self._leaving or now < self._ill_until else State.WELL

    def _ill(self, now: float, why: str) -> None:
        if now >= self._ill_until and not self._leaving:
            self.why = why
        self._ill_until = max(self._ill_until, now + RECOVERY_SECONDS)
