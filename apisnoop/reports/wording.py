"""Words that several formats share: numbers, times, and what a report says of its own origin. No layout.

Everything that comes from a recording may be hostile; each format escapes for itself, and `clean` is for those that
print as they are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import floor
from unicodedata import category

from apisnoop.coverage.provenance import Lost, Provenance, Source
from apisnoop.coverage.report import CoverageReport, FindingClass
from apisnoop.coverage.share import Count

MEANING = {
    FindingClass.REMOVED: "no longer served in this release",
    FindingClass.INVALID: "no such operation, and never answered without an error",
    FindingClass.DEPRECATED: "deprecated operations",
    FindingClass.ALPHA: "alpha operations, which may change or go without notice",
    FindingClass.BETA: "beta operations, which may change",
    FindingClass.UNLISTED: "answered, but not in the catalogue; --spec cluster has custom resources too",
}
"""What a class of finding means, for a person."""


UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that move a cursor, hide text or break a line; U+FFFE and U+FFFF besides, which XML forbids."""


def number(value: int) -> str:
    """Write a number with separators: 1,123."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """Write a number with its noun, which takes an s: 1 call, 2 calls."""
    return f"{number(value)} {noun}" if value == 1 else f"{number(value)} {noun}s"


def percent(value: float | None) -> str:
    """Write a percentage with one decimal, rounded down so that 100 % means all and a gate is not contradicted."""
    if value is None:
        return "n/a"
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{floor(value * 10 + 1e-9) / 10:.1f} %"


def moment(seconds: float | None) -> str:
    """Write a time to the second, in UTC; "unknown" for none and for zero, which stands for a source without times."""
    if not seconds:
        return "unknown"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(seconds: float | None) -> str | None:
    """Write a time for machines (RFC 3339, UTC), None where it is unknown."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clean(text: str) -> str:
    """Make text harmless for a terminal: control, format and line-breaking characters become U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if category(char) in UNPRINTABLE or char in "\ufffe\uffff" else char for char in text)


def headline(report: CoverageReport) -> str:
    """Say the one figure that matters, e.g. "102 of 908 operations hit (11.2 %)"."""
    share = report.current
    kind = "eligible operations" if report.eligible else "operations"
    hit, part = number(share.hit(report.count)), percent(share.percent(report.count))
    return f"{hit} of {number(share.total)} {kind} hit ({part})"


def total_explained(report: CoverageReport) -> str:
    """Say what the total is made of."""
    deprecated = report.every.total - report.current.total
    parts = [f"The catalogue has {counted(report.every.total + report.left_out, 'operation')}"]
    if report.eligible:
        parts.append(f"{number(report.left_out)} are left out, being outside conformance")
    parts.append(f"{number(deprecated)} are deprecated and not in the total")
    hit = "a call answered without an error" if report.count is Count.OK else "any call, however answered"
    return f"{', '.join(parts)}. An operation is hit by {hit}."


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
    if source.started:
        facts.append(f"{'read' if source.kind == 'import' else 'started'} {moment(source.started)}")
    if source.state:
        facts.append(source.state)
    return f"{source.kind} {source.name}" + (f" ({', '.join(facts)})" if facts else "")


def source_lines(sources: Iterable[Source]) -> list[str]:
    """Name every recording; several runs of one command share a line, where the first of them stands."""
    groups: dict[object, list[Source]] = {}
    for place, source in enumerate(sources):
        groups.setdefault(source.name if source.kind == "run" else place, []).append(source)
    return [source_line(found[0]) if len(found) == 1 else _runs_line(found) for found in groups.values()]


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


def origin(provenance: Provenance) -> list[tuple[str, list[str]]]:
    """Give everything a report must say of its own origin, as headings with one or more lines."""
    return [
        ("catalogue", [catalogue_line(provenance)]),
        ("window", [window_line(provenance)]),
        ("store", [provenance.store]),
        ("sources", source_lines(provenance.sources) or ["none is named in the store"]),
        ("not counted", [loss_line(lost) for lost in provenance.lost] or ["no loss is recorded in the store"]),
        *([("notes", list(provenance.notes))] if provenance.notes else []),
        ("made", [f"{moment(provenance.generated)} by {provenance.tool}"]),
    ]


def empty_explained(provenance: Provenance) -> str:
    """Say that there is nothing to report on, which is not the same as nothing having been called."""
    where = f"store {provenance.store}"
    if provenance.since is None and provenance.until is None:
        return f"No calls are recorded in {where}. This says nothing about what was called."
    return f"No calls are recorded in {where} for this window. This says nothing about what was called in it."


def longest(texts: Iterable[str]) -> int:
    """Give the length of the longest text, zero for none."""
    return max(map(len, texts), default=0)
