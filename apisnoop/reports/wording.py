"""Words that several formats share: numbers, times, what a figure means. No layout.

Everything that comes from a recording may be hostile; each format escapes for itself, and `clean` is for those that
print as they are.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import floor
from unicodedata import category

from apisnoop.coverage.report import CoverageReport, FindingClass
from apisnoop.coverage.share import Count
from apisnoop.moments import moment_text

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


def length(seconds: float) -> str:
    """Write how long something took in its two largest units: 2 h 10 min, 3 min, 0.8 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left, parts = round(seconds), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size:,} {unit}")
        left %= size
    return " ".join(parts[:2])


def iso(seconds: float | None) -> str | None:
    """Write a time for machines (RFC 3339, UTC), None where it is unknown."""
    if not seconds:
        return None
    return moment_text(seconds)


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


def longest(texts: Iterable[str]) -> int:
    """Give the length of the longest text, zero for none."""
    return max(map(len, texts), default=0)
