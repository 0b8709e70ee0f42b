"""What a recorded target is in the catalogue of the report, which need not be the one it was recorded against.

So a store recorded on 1.30 can be reported against 1.36, and what 1.36 no longer serves becomes a finding.
"""

from dataclasses import dataclass

from apisnoop.calls.tally import OTHER
from apisnoop.coverage.report import FindingClass
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding
from apisnoop.operations.operation import Level, Operation
from apisnoop.store.queries import TargetRow

BEYOND_CAP = "more different paths than the store keeps apart"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Exactly one of `operation` and `finding` is set."""

    operation: Operation | None
    finding: Finding | None
    method: str
    path: str
    reason: str


def resolve(target: TargetRow, catalogue: Catalogue) -> Resolution:
    """Tell which operation of the catalogue a target is, or why it is none."""
    known = catalogue.operations.get(target.operation)
    if known is not None and (known.method, known.path) == (target.method, target.path):
        return Resolution(known, None, known.method, known.path, "")
    if target.path == OTHER:
        return Resolution(None, Finding(target.kind), target.method, OTHER, BEYOND_CAP)
    match = catalogue.match(target.method, target.path)
    if match.operation is not None:
        return Resolution(match.operation, None, match.operation.method, match.operation.path, "")
    return Resolution(None, match.finding, target.method, target.path, match.reason)


def classes_of_operation(operation: Operation) -> tuple[FindingClass, ...]:
    """Give the classes of finding that any call to an operation belongs to.

    Discovery of a beta or alpha group/version is none: every client asks what a server has, also what it never uses.
    """
    found = [FindingClass.DEPRECATED] if operation.deprecated else []
    if operation.level is not Level.STABLE and operation.resource:
        found.append(FindingClass(operation.level.value))
    return tuple(found)


def class_of_finding(finding: Finding, answered: bool) -> FindingClass | None:
    """Give the class of what is no operation; `answered` is whether the server ever answered it without an error.

    None for what is served but never part of a catalogue (health, metrics), which is nothing to find fault with.
    """
    if finding is Finding.NOT_API:
        return None
    if finding is Finding.REMOVED:
        return FindingClass.REMOVED
    return FindingClass.UNLISTED if answered else FindingClass.INVALID
