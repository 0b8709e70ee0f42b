"""When a pod's calls were recorded, and when they should have been and were not.

A report without calls means nothing as long as it is not known that somebody was looking. A recording is one stretch
of time in which a pod's new connections were all recorded; what lies between two of one pod is a gap, unless the first
had ended because nobody wanted it any more.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

WANTED_NO_MORE = "off"
"""The recording was switched off."""
POD_ENDED = "pod ended"
"""There was nothing left to record."""
UNSAID = "stopped without a word"
"""Whoever recorded was killed, or its machine was."""

INTENDED = frozenset({WANTED_NO_MORE, POD_ENDED})
"""Ends after which nothing is missed."""
NOT_SEEN = "connection not seen: "
"""How the reason of a loss begins that is a connection nobody could read: a client certificate, a foreign CA."""


class Recording(msgspec.Struct, frozen=True):
    """One stretch of recording. Times are seconds since the epoch."""

    node: str
    namespace: str
    pod: str
    pod_uid: str
    since: float
    until: float
    """The last moment known to be recorded; it grows as long as the recording goes on."""
    ended: str = ""
    """Why it ended; empty while it goes on."""


class Standing(msgspec.Struct, frozen=True):
    """How it stood with a pod when its node was asked: one that should be recorded and is not, or not wholly."""

    namespace: str
    pod: str
    pod_uid: str
    state: str
    """The agent's word: `skipped`, `waiting`, `shed`; `intercepting` where only older connections are missed."""
    why: str = ""
    existing: int = 0
    """Connections to the API that are older than the recording, and not seen."""


class Gap(msgspec.Struct, frozen=True):
    """A time in which a pod's calls were wanted and not recorded."""

    node: str
    namespace: str
    pod: str
    pod_uid: str
    start: float
    end: float | None
    """None: it was not over when the last was heard of the pod."""
    reason: str


def gaps_of(recordings: Iterable[Recording]) -> list[Gap]:
    """Return the gaps between and after recordings, in any order, of any number of pods; by pod, then by time.

    Recordings of one pod may overlap: while one proxy takes over from another, both record.
    """
    ordered = sorted(recordings, key=lambda one: (one.namespace, one.pod, one.pod_uid, one.since))
    return [gap for _, group in groupby(ordered, key=lambda one: one.pod_uid) for gap in _gaps_of_pod(group)]


def _gaps_of_pod(recordings: Iterator[Recording]) -> Iterator[Gap]:
    last = next(recordings)
    covered, is_over = last.until, last.ended == POD_ENDED
    for following in recordings:
        is_over = is_over or following.ended == POD_ENDED
        if following.since > covered and last.ended not in INTENDED:
            yield _gap(last, covered, following.since)
        if following.until >= covered or not following.ended:
            last = following
        covered = max(covered, following.until)
    if last.ended and last.ended not in INTENDED and not is_over:
        yield _gap(last, covered, None)


def _gap(last: Recording, start: float, end: float | None) -> Gap:
    return Gap(last.node, last.namespace, last.pod, last.pod_uid, start, end, last.ended or UNSAID)
