"""From the rows of a store and a catalogue to a coverage report.

The store is asked for sums, never for tallies, so the work here grows with operations and callers only.
"""

from time import time

from apisnoop.coverage import shares
from apisnoop.coverage.attribution import breakdown_by, everybody, findings_of, known_dimensions
from apisnoop.coverage.report import CoverageReport
from apisnoop.coverage.seen import look_at, not_api, operation_uses
from apisnoop.coverage.share import Count
from apisnoop.coverage.sources import provenance_of
from apisnoop.coverage.who import Dimension
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.store import Store
from apisnoop.store.window import Window


def coverage_of(  # noqa: PLR0913 - every choice of the command line, each with a default
    store: Store,
    catalogue: Catalogue,
    *,
    window: Window | None = None,
    eligible: bool = False,
    count: Count = Count.OK,
    by: Dimension | None = None,
    callers: bool = False,
    now: float | None = None,
) -> CoverageReport:
    """Report how much of a catalogue the calls in a store hit.

    `eligible` leaves operations outside conformance out of every total; `by` adds a breakdown, `callers` what everybody
    called: each costs one more pass over the tallies. `now` (epoch seconds) is what the report says it was made at.
    """
    seen = look_at(store, catalogue, window)
    operations = operation_uses(seen)
    counted = [use for use in operations if not (eligible and use.ineligible)]
    current = [use for use in counted if not use.operation.deprecated]
    ids = frozenset(use.operation.id for use in current)
    return CoverageReport(
        provenance=provenance_of(seen, time() if now is None else now),
        count=count,
        eligible=eligible,
        left_out=len(operations) - len(counted),
        every=shares.share_of_uses(counted),
        current=shares.share_of_uses(current),
        levels=shares.by_level(current),
        groups=shares.by_group_version(current),
        resources=shares.by_resource(current),
        verbs=shares.by_verb(current, catalogue),
        details=shares.by_detail(current),
        operations=operations,
        findings=findings_of(seen),
        not_api=not_api(seen),
        by=breakdown_by(by, seen, ids) if by else None,
        callers=everybody(seen, operations, ids) if callers else None,
        dimensions=known_dimensions(store),
    )
