"""Whether a pod may be intercepted at a moment, and when that changes without anybody saying so. Pure.

Times are seconds since the epoch.
"""

from dataclasses import dataclass

from apisnoop.node.wanted import Wanted
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Cause, Code


@dataclass(frozen=True, slots=True)
class Block:
    """A time in which a pod is left alone, whoever wants it."""

    until: float
    cause: Cause


NO_BLOCK = Block(0.0, Cause(Code.WANTED, ""))


def refusal_of(pod: PodFacts, wanted: Wanted, block: Block, now: float) -> Cause | None:
    """Say why a pod must not be intercepted; None if it may and should."""
    if not wanted.yes:
        return Cause(Code.NOT_WANTED, wanted.why)
    if pod.unfit is not None:
        return pod.unfit
    if wanted.until is not None and wanted.until <= now:
        return Cause(Code.NOT_WANTED, "its time is over")
    return block.cause if now < block.until else None


def lasts_until(wanted: Wanted, block: Block, now: float) -> float | None:
    """Return when the refusal of a pod that somebody wants, or its absence, ends by itself; None: it does not."""
    moments = [block.until, *([] if wanted.until is None else [wanted.until])]
    return min((moment for moment in moments if wanted.yes and moment > now), default=None)
