"""The values of a coverage report, as every renderer gets them. How they are worked out is the business of `measure`.

Totals count operations of the report's catalogue. Deprecated operations are never part of a share except `every`:
nobody is asked to call them, and whoever does appears among the findings.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from apisnoop.coverage.calls_seen import CallsSeen
from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.share import Count, Share
from apisnoop.coverage.who import Dimension, Who
from apisnoop.operations.operation import Operation


class FindingClass(StrEnum):
    """What can be worth knowing about a call, the most urgent first."""

    REMOVED = "removed"
    """Known from another release, no longer in this catalogue."""
    INVALID = "invalid"
    """No operation, and the server never answered it without an error."""
    DEPRECATED = "deprecated"
    ALPHA = "alpha"
    BETA = "beta"
    UNLISTED = "unlisted"
    """Not in the catalogue, yet answered without an error: a custom resource or an aggregated API."""


GATED = (
    FindingClass.DEPRECATED,
    FindingClass.REMOVED,
    FindingClass.INVALID,
    FindingClass.ALPHA,
    FindingClass.BETA,
)
"""The classes `--fail-on` accepts: those a caller can do something about."""


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a table of shares, e.g. group/version apps/v1."""

    name: str
    share: Share
    calls: int


@dataclass(frozen=True, slots=True)
class Detail:
    """How many operations were called in a way that their document does not count, e.g. with server-side apply."""

    name: str
    ok: int
    any: int
    calls: int


@dataclass(frozen=True, slots=True)
class Action:
    """One way in which an operation was called: the server's verb, and the detail that RBAC does not tell apart."""

    verb: str
    detail: str
    calls: CallsSeen


@dataclass(frozen=True, slots=True)
class OperationUse:
    """One operation of the catalogue and what was seen of it, which may be nothing."""

    operation: Operation
    calls: CallsSeen
    actions: tuple[Action, ...]
    ineligible: str
    """Why conformance leaves it out: a reason code, or an empty string."""


class CallerCalls(msgspec.Struct, frozen=True):
    """How often one caller did something. A large recording makes tens of thousands of these."""

    who: Who
    calls: CallsSeen


@dataclass(frozen=True, slots=True)
class FindingUse:
    """Calls of one class to one operation or path, with who made them, the most calls first."""

    kind: FindingClass
    finding: str
    """Why it is no operation (a value of `apisnoop.operations.match.Finding`); empty for an operation."""
    operation: str
    """The operation's id; empty where there is none."""
    method: str
    path: str
    reason: str
    calls: CallsSeen
    callers: tuple[CallerCalls, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What one namespace, workload, client, ... called: one row of `--by`."""

    name: str
    share: Share
    calls: CallsSeen
    findings: tuple[tuple[FindingClass, int], ...]
    """Calls of each class it made, classes without any left out."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The same coverage told apart by a property of the caller."""

    dimension: Dimension
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class CallerUse:
    """What one caller did: `uses` are places in `CoverageReport.operations` with the calls made to each."""

    who: Who
    share: Share
    calls: CallsSeen
    findings: tuple[tuple[FindingClass, int], ...]
    uses: tuple[tuple[int, int, int], ...]
    """(place in `operations`, calls without, calls with an error)."""


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """How much of a catalogue was called, by whom, and what in it is worth knowing."""

    provenance: Provenance
    count: Count
    eligible: bool
    """Whether operations outside conformance were left out of every total."""
    left_out: int
    """How many operations that took away."""
    every: Share
    """All operations of the catalogue."""
    current: Share
    """Those that are not deprecated: the share that `--fail-under` judges."""
    levels: tuple[Group, ...]
    groups: tuple[Group, ...]
    """By group/version."""
    resources: tuple[Group, ...]
    verbs: tuple[Group, ...]
    """By the server's verb. A collection's GET counts under list and under watch, so these add up to more."""
    details: tuple[Detail, ...]
    """By what RBAC does not tell apart: apply and the other patches, dry-run, connections, HEAD, OPTIONS."""
    operations: tuple[OperationUse, ...]
    """Every operation of the catalogue, in the order of its paths; those left out too."""
    findings: tuple[FindingUse, ...]
    """By class, then the most calls first."""
    not_api: CallsSeen
    """Health, metrics and the OpenAPI documents: served, but no part of any catalogue."""
    by: Breakdown | None = None
    callers: tuple[CallerUse, ...] | None = None
    """Everybody, the most operations first; None where it was not asked for."""
    dimensions: tuple[Dimension, ...] = ()
    """What the store knows of its callers, whenever they called: what `--by` can tell apart."""
