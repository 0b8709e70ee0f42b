"""What was recorded of pods in a cluster, and what was not: the part of a report's provenance that tells of lapses.

It is worked out from the store's recordings for the report's window; a store that holds none has no such part. How pods
stood when their nodes were last asked has no window: it is told with its time. Lists are bounded, totals are not: they
count what a list has no room for.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from apisnoop.calls.recording import NOT_SEEN, Gap, Recording, gaps_of
from apisnoop.coverage.provenance import Lost, NotRecorded, NotSeen, RecordedPod, Recordings
from apisnoop.node.status import INTERCEPTING
from apisnoop.store import queries
from apisnoop.store.recordings import recordings_in

MOST = 1_000
"""Pods, gaps and unseen connections that a report lists, of each the latest or most frequent."""
LONGEST_NAME = 253
"""Characters of a name that are kept, as Kubernetes has it."""
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Span:
    """A time in seconds since the epoch; None is an open end."""

    since: float | None = None
    until: float | None = None

    def clip(self, start: float, end: float) -> tuple[float, float] | None:
        """Give the part of a stretch that lies inside; None where none does."""
        start = start if self.since is None else max(start, self.since)
        end = end if self.until is None else min(end, self.until)
        return (start, end) if start <= end else None


def recordings_of(
    connection: sqlite3.Connection, lost: Iterable[Lost], since: float | None = None, until: float | None = None
) -> Recordings | None:
    """Say which pods were recorded from `since` to `until` (epoch seconds), and when, and what was missed meanwhile.

    None where the store knows of no recording, of no pod that should have one, and of no connection that was not seen.
    """
    every = [_bounded(one) for one in recordings_in(connection)]
    not_seen = tuple(not_seen_in(lost))
    standings = queries.standings(connection)
    if not (every or not_seen or standings):
        return None
    missing = [
        NotRecorded(row.node, row.namespace, row.pod, row.state, row.why)
        for row in standings
        if row.state != INTERCEPTING
    ]
    span = Span(since, until)
    pods = _pods(every, span)
    gaps = [clipped for gap in gaps_of(every) if (clipped := _clipped(gap, span))]
    return Recordings(
        pods=tuple(_latest(pods)),
        pod_count=len(pods),
        node_count=len({pod.node for pod in pods}),
        seconds=sum(pod.seconds for pod in pods),
        since=min((pod.since for pod in pods), default=None),
        until=max((pod.until for pod in pods), default=None),
        gaps=tuple(sorted(gaps, key=lambda gap: gap.start)[-MOST:]),
        gap_count=len(gaps),
        gap_seconds=sum(gap.end - gap.start for gap in gaps if gap.end is not None),
        open_gap_count=sum(gap.end is None for gap in gaps),
        not_seen=not_seen[:MOST],
        not_seen_count=sum(one.connections for one in not_seen),
        older_connections=sum(row.existing for row in standings),
        not_recorded=tuple(missing[:MOST]),
        not_recorded_count=len(missing),
        asked_since=min((row.asked for row in standings), default=None),
        asked_until=max((row.asked for row in standings), default=None),
    )


def not_seen_in(lost: Iterable[Lost]) -> Iterable[NotSeen]:
    """Give the connections that could not be read, by container and reason, the most frequent first."""
    found = (
        NotSeen(one.source[: 2 * LONGEST_NAME], one.reason.removeprefix(NOT_SEEN)[:LONGEST_REASON], one.count)
        for one in lost
        if one.reason.startswith(NOT_SEEN)
    )
    return sorted(found, key=lambda one: (-one.connections, one.who, one.reason))


def _bounded(one: Recording) -> Recording:
    """Cut names that no cluster has; whoever made the store may have made them up."""
    if len(one.node) + len(one.namespace) + len(one.pod) + len(one.pod_uid) + len(one.ended) <= LONGEST_NAME:
        return one
    return Recording(
        one.node[:LONGEST_NAME],
        one.namespace[:LONGEST_NAME],
        one.pod[:LONGEST_NAME],
        one.pod_uid[:LONGEST_NAME],
        one.since,
        one.until,
        one.ended[:LONGEST_REASON],
    )


def _pods(recordings: Iterable[Recording], span: Span) -> list[RecordedPod]:
    """Add up the stretches of each pod that lie in the window."""
    stretches: dict[str, list[Recording]] = {}
    for one in recordings:
        if part := span.clip(one.since, one.until):
            clipped = msgspec.structs.replace(one, since=part[0], until=part[1])
            stretches.setdefault(one.pod_uid, []).append(clipped)
    return [_pod(found) for found in stretches.values()]


def _pod(stretches: list[Recording]) -> RecordedPod:
    last = max(stretches, key=lambda one: one.since)
    return RecordedPod(
        node=last.node,
        namespace=last.namespace,
        name=last.pod,
        uid=last.pod_uid,
        since=min(one.since for one in stretches),
        until=max(one.until for one in stretches),
        seconds=_covered(stretches),
        ended=last.ended,
    )


def _covered(stretches: Iterable[Recording]) -> float:
    """Give the time that stretches cover together; they overlap while one proxy takes over from another."""
    seconds, until = 0.0, float("-inf")
    for one in sorted(stretches, key=lambda one: one.since):
        seconds += max(0.0, one.until - max(one.since, until))
        until = max(until, one.until)
    return seconds


def _latest(pods: list[RecordedPod]) -> list[RecordedPod]:
    kept = sorted(pods, key=lambda pod: -pod.until)[:MOST]
    return sorted(kept, key=lambda pod: (pod.namespace, pod.name, pod.since))


def _clipped(gap: Gap, span: Span) -> Gap | None:
    """Cut a gap to the window; one that is not over when the window ends stays open."""
    end = float("inf") if gap.end is None else gap.end
    part = span.clip(gap.start, end)
    if part is None or part[0] == part[1]:
        return None
    return msgspec.structs.replace(gap, start=part[0], end=None if part[1] == float("inf") else part[1])
