"""What a report says of pods recorded in a cluster: which, how long, the gaps, and connections that were not seen."""

from collections.abc import Sequence

from apisnoop.calls.recording import Gap
from apisnoop.coverage.provenance import NotRecorded, NotSeen, Provenance, RecordedPod, Recordings
from apisnoop.reports.wording import counted, length, moment, number

SHOWN = 8
"""Pods, gaps and unseen connections that are listed, unless all are asked for; the JSON report has more."""


def recorded_lines(recordings: Recordings, most: int | None = SHOWN) -> list[tuple[str, list[str]]]:
    """Say which pods were recorded and what was missed meanwhile, as headings with lines; None lists all."""
    gaps = [gap_line(gap) for gap in reversed(recordings.gaps)]
    pods = [pod_line(pod) for pod in recordings.pods]
    unseen = [not_seen_line(one) for one in recordings.not_seen]
    missing = [not_recorded_line(one) for one in recordings.not_recorded]
    count = recordings.not_recorded_count
    return [
        ("recorded", [_recorded(recordings), *_some(pods, recordings.pod_count, most)]),
        *([("not recorded", [not_recorded_summary(recordings), *_some(missing, count, most)])] if count else []),
        ("gaps", [gaps_summary(recordings), *_some(gaps, recordings.gap_count, most)]),
        ("not seen", [not_seen_summary(recordings), *_some(unseen, len(unseen), most)]),
    ]


def _recorded(found: Recordings) -> str:
    if not found.pod_count:
        return "no pod in this time"
    where = f"{counted(found.pod_count, 'pod')} on {counted(found.node_count, 'node')}"
    return f"{where}, {length(found.seconds)} in all, from {moment(found.since)} to {moment(found.until)}"


def _some(lines: Sequence[str], in_all: int, most: int | None) -> list[str]:
    shown = list(lines if most is None else lines[:most])
    left = in_all - len(shown)
    return [*shown, *([f"… {number(left)} more"] if left > 0 else [])]


def pod_line(pod: RecordedPod) -> str:
    """Say how long a pod was recorded, and why it no longer is."""
    where, ended = _place(pod.namespace, pod.name, pod.node), pod.ended or "still recorded when last heard of"
    return f"{where}: {length(pod.seconds)}, {_times(pod.since, pod.until)} ({ended})"


def gap_line(gap: Gap) -> str:
    """Say when a pod should have been recorded and was not, and why."""
    where = _place(gap.namespace, gap.pod, gap.node)
    if gap.end is None:
        return f"{where}: from {moment(gap.start)} on, not over when last heard of ({gap.reason})"
    return f"{where}: {length(gap.end - gap.start)}, {_times(gap.start, gap.end)} ({gap.reason})"


def not_seen_line(one: NotSeen) -> str:
    """Say whose connections could not be read, and why."""
    return f"{one.who}: {counted(one.connections, 'connection')} ({one.reason})"


def not_recorded_line(one: NotRecorded) -> str:
    """Say why a pod is not recorded that should be."""
    return f"{_place(one.namespace, one.name, one.node)}: {one.state}, {one.reason}"


def not_recorded_summary(found: Recordings) -> str:
    """Say how many pods should be recorded and were not, and when that was: it has no part in the report's window."""
    count = found.not_recorded_count
    were = "was" if count == 1 else "were"
    return f"{counted(count, 'pod')} that should be recorded {were} not {_asked(found)}: the calls are not known"


def gaps_summary(found: Recordings) -> str:
    """Say how many gaps there are and how long they are together."""
    if not found.gap_count:
        return "none is known"
    lengths = [f"{length(found.gap_seconds)} in all"] if found.gap_count > found.open_gap_count else []
    lengths += [f"{number(found.open_gap_count)} not over"] if found.open_gap_count else []
    return f"{counted(found.gap_count, 'gap')}, {', '.join(lengths)}: calls made meanwhile are not known"


def not_seen_summary(found: Recordings) -> str:
    """Say how many connections could not be read."""
    parts = [f"{counted(found.not_seen_count, 'connection')} could not be read"] if found.not_seen_count else []
    if found.older_connections:
        were = "was" if found.older_connections == 1 else "were"
        older = counted(found.older_connections, "connection")
        parts.append(f"{older} {were} older than the recording {_asked(found)}")
    return (
        f"{', '.join(parts)}: the calls made over them are not known" if parts else "no connection, as far as is known"
    )


def cautions(provenance: Provenance) -> list[str]:
    """Give what a reader must know before taking something for not called: gaps, unseen connections, silent nodes."""
    said = []
    if (found := provenance.recordings) is not None:
        if found.gap_count:
            said.append(f"Recorded with {gaps_summary(found)}.")
        if found.not_recorded_count:
            said.append(f"{not_recorded_summary(found)}.")
        if found.not_seen_count or found.older_connections:
            said.append(f"{not_seen_summary(found)}.")
    silent = sorted({source.name for source in provenance.sources if source.kind == "node" and source.state})
    if silent:
        nodes = f"{counted(len(silent), 'node')} gave no answer"
        said.append(f"{nodes}, and calls are missing: {', '.join(_some(silent, len(silent), SHOWN))}.")
    return said


def _place(namespace: str, pod: str, node: str) -> str:
    return f"{namespace}/{pod} on {node}" if node else f"{namespace}/{pod}"


def _asked(found: Recordings) -> str:
    first, last = moment(found.asked_since), moment(found.asked_until)
    return f"when last asked, {first}" if first == last else f"when last asked, from {first} to {last}"


def _times(start: float, end: float) -> str:
    return f"from {moment(start)} to {moment(end)}"
