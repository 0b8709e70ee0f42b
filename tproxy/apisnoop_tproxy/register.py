"""Which enrolment is of which pod, and what the proxy's workers have said of each. Pure.

All workers accept on the same sockets, so a pod may be led there once every one of them accepts, and has left them when
none carries anything of it any more. Of one that goes nothing is expected; the others go on without it.
"""

import itertools
import time
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class _Entry[Pod]:
    pod: Pod
    silent: set[int]
    """Workers that have not said yet that they accept."""
    carrying: set[int]
    """Workers that have not said yet that they carry nothing any more."""


@dataclass(frozen=True, slots=True)
class Changes[Pod]:
    """What has become of enrolments, by number."""

    accepted: dict[int, Pod] = field(default_factory=dict)
    """All that are left accept."""
    drained: dict[int, Pod] = field(default_factory=dict)
    """None that is left carries anything of them, or none is left."""


class Register[Pod]:
    """Of one agent."""

    def __init__(self) -> None:
        self._numbers = itertools.count(time.time_ns())  # those of an earlier agent must mean nothing to us
        self._entries: dict[int, _Entry[Pod]] = {}

    def add(self, pod: Pod, workers: Collection[int]) -> int:
        """Give the number of a new enrolment, which is offered to these workers."""
        number = next(self._numbers)
        self._entries[number] = _Entry(pod, set(workers), set(workers))
        return number

    def find(self, number: int) -> Pod | None:
        """Give the pod of an enrolment; None once it is over."""
        entry = self._entries.get(number)
        return entry.pod if entry is not None else None

    def accepts(self, number: int, worker: int) -> bool:
        """Note that a worker accepts; return whether all do now."""
        entry = self._entries[number]
        entry.silent.discard(worker)
        return not entry.silent

    def carries_nothing(self, number: int, worker: int) -> bool:
        """Note that a worker carries nothing of it any more; return whether none does: then it is over."""
        entry = self._entries[number]
        entry.carrying.discard(worker)
        if not entry.carrying:
            self.drop(number)
        return not entry.carrying

    def drop(self, number: int) -> None:
        """Note that an enrolment is over."""
        del self._entries[number]

    def forget(self, worker: int) -> Changes[Pod]:
        """Expect nothing more of a worker; return what that changes."""
        changes = Changes[Pod]()
        for number, entry in list(self._entries.items()):
            if worker in entry.carrying and self.carries_nothing(number, worker):
                changes.drained[number] = entry.pod
            elif worker in entry.silent and self.accepts(number, worker):
                changes.accepted[number] = entry.pod
        return changes

    def clear(self) -> None:
        """Forget all enrolments."""
        self._entries.clear()
