"""When a pod's calls were recorded, and when they should have been and were not.

A report without calls means nothing as long as it is not known that somebody was looking. A recording is one stretch
of time in which a pod's new connections were all recorded; what lies between two of one pod is a gap, unless the first
had ended because nobody wanted it any more.
"""

from collections.abc import Iterable
from itertools import groupby

import msgspec

WANTED_NO_MORE = "off"
"""The recording was switched off."""
POD_ENDED = "pod ended"
"""There was nothing left to record."""
UNSAID = "stopped without a word"
"""Whoever recorded was killed, or its machine was."""

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
    """Return the gaps between and after recordings, in any order, of any number of pods; by pod, then by time."""
    gaps = []
    ordered = sorted(recordings, key=lambda one: (one.namespace, one.pod, one.pod_uid, one.since))
    for _, group in groupby(ordered, key=lambda one: one.pod_uid):
        of_pod = list(group)
        for index, one in enumerate(of_pod):
            following = of_pod[index + 1] if index + 1 < len(of_pod) else None
            if one.ended in {WANTED_NO_MORE, POD_ENDED} or (following is None and not one.ended):
                continue
            end = None if following is None else following.since
            if end is None or end > one.until:
                gaps.append(Gap(one.node, one.namespace, one.pod, one.pod_uid, one.until, end, one.ended or UNSAID))
    return gaps
