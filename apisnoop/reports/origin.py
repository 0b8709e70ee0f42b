"""What every report says of its own origin, in the words that all formats share. No layout.

It exists so that "no data" is never read as "nothing happened".
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from apisnoop.calls.recording import NOT_SEEN
from apisnoop.coverage.provenance import Lost, Provenance, Source
from apisnoop.reports.recorded import SHOWN, cautions, recorded_lines
from apisnoop.reports.wording import counted, length, moment, number


def catalogue_line(provenance: Provenance) -> str:
    """Say which catalogue the report counts against."""
    used = provenance.catalogue
    return f"{used.source} ({used.digest[:12]})" if used.digest else used.source


def window_line(provenance: Provenance) -> str:
    """Say which time the report covers, asked for and seen."""
    since, until = provenance.since, provenance.until
    if since is None and until is None:
        asked = "everything recorded"
    else:
        asked = " ".join(
            part
            for part in (
                f"since {moment(since)}" if since is not None else "",
                f"until {moment(until)}" if until is not None else "",
            )
            if part
        )
    if provenance.is_empty:
        return f"{asked}; no call seen"
    return f"{asked}; calls seen from {moment(provenance.first_seen)} to {moment(provenance.last_seen)}"


def source_line(source: Source) -> str:
    """Name one recording."""
    facts = [counted(source.calls, "call")] if source.calls is not None else []
    if source.kind == "node" and source.ended:
        facts.append(f"snapshot of {moment(source.ended)}")
    if source.started:
        facts.append(f"{'read' if source.kind == 'import' else 'started'} {moment(source.started)}")
    if source.state:
        facts.append(source.state)
    return f"{source.kind} {source.name}" + (f" ({', '.join(facts)})" if facts else "")


def source_lines(sources: Iterable[Source]) -> list[str]:
    """Name every recording; several runs of one command, or stores of one node, share the line of the first."""
    groups: dict[object, list[Source]] = {}
    for place, source in enumerate(sources):
        groups.setdefault(place if source.kind == "import" else (source.kind, source.name), []).append(source)
    return [_group_line(found) for found in groups.values()]


def _group_line(found: Sequence[Source]) -> str:
    if len(found) == 1:
        return source_line(found[0])
    return _node_line(found) if found[0].kind == "node" else _runs_line(found)


def _node_line(stores: Sequence[Source]) -> str:
    """Say of several stores of a node, of which the latest comes first, what they gave."""
    calls = counted(sum(store.calls or 0 for store in stores), "call")
    facts = [f"{calls} of {number(len(stores))} stores, snapshot of {moment(stores[0].ended)}"]
    return f"node {stores[0].name} ({', '.join([*facts, *([stores[0].state] if stores[0].state else [])])})"


def _runs_line(runs: Sequence[Source]) -> str:
    """Say of several runs of a command what they gave, when they were and how many did not end well."""
    facts = [counted(sum(run.calls or 0 for run in runs), "call")]
    if started := sorted(run.started for run in runs if run.started):
        facts.append(f"started from {moment(started[0])} to {moment(started[-1])}")
    states = Counter(run.state for run in runs if run.state)
    facts += [f"{number(times)} of them: {state}" for state, times in sorted(states.items())]
    return f"{number(len(runs))} runs of {runs[0].name} ({', '.join(facts)})"


def loss_line(lost: Lost) -> str:
    """Say what was not counted, how often and with which example."""
    what = ", ".join(part for part in (lost.reason, lost.detail) if part)
    example = f", e.g. {lost.example}" if lost.example else ""
    return f"{lost.source}: {what}: {number(lost.count)}{example}"


def origin(provenance: Provenance, most: int | None = SHOWN) -> list[tuple[str, list[str]]]:
    """Give everything a report must say of its own origin, as headings with one or more lines.

    `most` bounds the lists of pods, gaps and unseen connections; None lists all of them.
    """
    found = provenance.recordings
    lost = [loss_line(one) for one in provenance.lost if not (found and one.reason.startswith(NOT_SEEN))]
    return [
        ("catalogue", [catalogue_line(provenance)]),
        ("window", [window_line(provenance)]),
        ("store", [provenance.store]),
        ("sources", source_lines(provenance.sources) or ["none is named in the store"]),
        *(recorded_lines(found, most) if found else []),
        ("not counted", lost or ["no loss is recorded in the store"]),
        *([("notes", list(provenance.notes))] if provenance.notes else []),
        ("made", [f"{moment(provenance.generated)} by {provenance.tool}"]),
    ]


def origin_of_both(before: Provenance, after: Provenance, most: int | None = SHOWN) -> list[tuple[str, str, list[str]]]:
    """Give the origin of two recordings that were compared, as headings with a side and lines.

    What is the same on both sides stands there once, and its side is empty.
    """
    first, second = dict(origin(before, most)), dict(origin(after, most))
    said = []
    for heading in dict.fromkeys([*first, *second]):
        one, other = first.get(heading, []), second.get(heading, [])
        sides = [("", one)] if one == other else [("before", one), ("after", other)]
        said += [(heading, side, lines) for side, lines in sides if lines]
    return said


def empty_explained(provenance: Provenance) -> str:
    """Say that there is nothing to report on, which is not the same as nothing having been called."""
    where = f"store {provenance.store}"
    window = "" if provenance.since is None and provenance.until is None else " for this window"
    found = provenance.recordings
    if found and found.pod_count and not cautions(provenance):
        pods = f"{counted(found.pod_count, 'pod')} {'was' if found.pod_count == 1 else 'were'} recorded"
        return f"No calls are recorded in {where}{window}: {pods} for {length(found.seconds)} in all and made none."
    said = f"This says nothing about what was called{' in it' if window else ''}."
    return f"No calls are recorded in {where}{window}. {said}"
