"""What gaps and comparisons say in every format: their summaries, remarks on an operation, lists of callers."""

from collections.abc import Sequence

from apisnoop.coverage.comparison import Change, ComparisonReport, Standing
from apisnoop.coverage.gaps import ENOUGH, Gap, GapsReport
from apisnoop.coverage.ineligible import REASONS
from apisnoop.coverage.share import Count
from apisnoop.coverage.who import Who
from apisnoop.operations.operation import Level
from apisnoop.reports.wording import counted, number

CALLERS = 3


def remark_on(gap: Gap) -> str:
    """Say what a reader should know before writing a test: the level, that it is deprecated, or why it is left out."""
    operation = gap.operation
    remarks = [operation.level.value] if operation.level is not Level.STABLE else []
    if operation.deprecated:
        remarks.append("deprecated")
    if gap.ineligible:
        remarks.append(f"outside conformance: {REASONS[gap.ineligible]}")
    return ", ".join(remarks)


def tests_of(gap: Gap) -> str:
    """Name the tests of a gap: "?" where nothing says what is tested, "none", or the only one."""
    if gap.tests is None:
        return "?"
    return ", ".join(gap.tests) or "none"


def some_callers(callers: Sequence[Who], most: int = CALLERS) -> str:
    """Name the first few callers and say how many more there are."""
    named = ", ".join(who.label for who in callers[:most])
    left = len(callers) - most
    return f"{named} and {counted(left, 'other')}" if left > 0 else named


def standing_of(change: Change) -> str:
    """Say what a method and path is, on the side that knows it best: the later one, else the earlier one.

    Also whether it is called as before and fails, which is not the same as being called no more.
    """
    standing = change.after or change.before
    said = [described(standing)] if standing else []
    return ", ".join([*said, *(["only errors now"] if change.is_only_refused else [])])


def described(standing: Standing) -> str:
    """Describe what a side says of a method and path, e.g. "beta, deprecated" or the reason of a finding."""
    if standing.reason:
        return standing.reason
    if not standing.operation:
        return standing.kind
    return ", ".join([standing.level, *(["deprecated"] if standing.deprecated else [])])


def summarize_gaps(report: GapsReport) -> list[str]:
    """Say how many operations lack tests, and what says so."""
    if not report.tested:
        return [
            f"{counted(report.used, 'operation')} used in the field; what is tested is not known",
            "Give --tested FILE (coverage JSON of kubernetes-sigs/apisnoop), or record a suite that names its tests.",
        ]
    untested = sum(not gap.tests for gap in report.gaps)
    single = len(report.gaps) - untested
    used = f"{counted(report.used, 'operation')} used in the field"
    return [
        f"{number(untested)} of {used} are untested, {number(single)} rest on a single test",
        f"Tested, according to {' and '.join(report.tested)}, means called by {ENOUGH} tests or more.",
    ]


def summarize_diff(report: ComparisonReport) -> list[str]:
    """Say how much two recordings differ, and that not seen is not the same as not used."""
    if not report.differs:
        first = f"No difference: both make the same {counted(report.used_after, 'kind')} of request"
    else:
        parts = [
            (len(report.newly_used), "newly used"),
            (len(report.no_longer_used), "no longer used"),
            (len(report.newly_deprecated), "newly deprecated"),
            (len(report.no_longer_served), "no longer served"),
        ]
        first = ", ".join(f"{number(count)} {what}" for count, what in parts if count)
    gone = "not seen in the latter" + (", or with errors only" if report.count is Count.OK else "")
    return [first, f"From {report.before.store} to {report.after.store}; no longer used means {gone}."]
