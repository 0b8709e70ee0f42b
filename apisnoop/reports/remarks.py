"""Short remarks on an operation and lists of callers, as gaps and comparisons show them in every format."""

from collections.abc import Sequence

from apisnoop.coverage.comparison import Change, Standing
from apisnoop.coverage.gaps import Gap
from apisnoop.coverage.ineligible import REASONS
from apisnoop.coverage.who import Who
from apisnoop.operations.operation import Level
from apisnoop.reports.wording import counted

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
    """Say what a method and path is, on the side that knows it best: the later one, else the earlier one."""
    standing = change.after or change.before
    return described(standing) if standing else ""


def described(standing: Standing) -> str:
    """Describe what a side says of a method and path, e.g. "beta, deprecated" or the reason of a finding."""
    if standing.reason:
        return standing.reason
    if not standing.operation:
        return standing.kind
    return ", ".join([standing.level, *(["deprecated"] if standing.deprecated else [])])
