"""What is written to an object so that its pods are recorded, or are not any more, as a merge patch.

Annotating an object restarts nothing, since its template stays as it is. A namespace gets a label: admission can select
by that only. What follows from marks is decided in `apisnoop.node.wanted`, here as on the nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apisnoop.fleet.kinds import NAMESPACE, Kind
from apisnoop.moments import moment_text, seconds_of
from apisnoop.node.wanted import LEGACY_MARK, MARK, RESET, UNTIL, Marks, Metadata, read_marks, wanted

type Patch = dict[str, dict[str, dict[str, str | None]]]


@dataclass(frozen=True, slots=True)
class Off:
    """How an object stops being recorded."""

    patch: Patch | None
    """None: nothing needs to be written."""
    said_by: str = ""
    """Which object would go on asking for it; it is then told no."""


def switch_on(kind: Kind, until: float | None, *, reset: bool) -> Patch:
    """Ask for an object's pods, until a time (epoch seconds) or until it is said otherwise.

    What an earlier mark has said of its end and of older connections is taken back.
    """
    ends = None if until is None else moment_text(until)
    annotations: dict[str, str | None] = {UNTIL: ends, RESET: "true" if reset else None}
    if kind is NAMESPACE:
        return {"metadata": {"labels": {MARK: "true"}, "annotations": annotations}}
    return {"metadata": {"annotations": {MARK: "true", **annotations}}}


def end_to_come(kind: Kind, metadata: Metadata, now: float) -> str:
    """Give the time at which an object's recording is to end by itself, as it is written there; empty for none."""
    marks = read_marks(kind.name, metadata)
    ends = seconds_of(marks.until)
    return marks.until if marks.mark.lower() == "true" and ends is not None and ends > now else ""


def switch_off(metadata: Metadata, above: Sequence[Marks], now: float) -> Off:
    """Ask no more. Where something above the object would go on asking (`above`: nearest first), it is told no."""
    said_by = _asking(above, now)
    annotations: dict[str, str | None] = dict.fromkeys(
        {MARK, UNTIL, RESET, LEGACY_MARK} & (metadata.annotations or {}).keys()
    )
    if said_by:
        annotations[MARK] = "false"
    # Labels ask as well, after annotations; of a namespace only they do.
    labels: dict[str, str | None] = dict.fromkeys({MARK} & (metadata.labels or {}).keys())
    patch = {place: values for place, values in (("annotations", annotations), ("labels", labels)) if values}
    return Off({"metadata": patch} if patch else None, said_by)


def _asking(above: Sequence[Marks], now: float) -> str:
    """Name the object above that asks for recording; empty if none does."""
    nothing = Marks("")
    if not above:
        return ""
    answer = wanted(nothing, above[:-1], above[-1], now)
    return next((one.source for one in above if one.mark), "") if answer.yes else ""
