"""What a store saw, put in terms of the report's catalogue: the common ground of totals, findings and attribution.

It is worked out once for a report. Nothing here knows who called; that is the business of `attribution`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.ineligible import ineligible
from apisnoop.coverage.report import Action, FindingClass, OperationUse
from apisnoop.coverage.resolution import Resolution, class_of_finding, classes_of_operation, resolve
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop.store.window import Window


@dataclass(frozen=True, slots=True)
class Seen:
    """The calls of a window by target, and what each target is."""

    store: Store
    catalogue: Catalogue
    window: Window | None
    uses: tuple[queries.UseRow, ...]
    resolved: dict[int, Resolution]
    """By the number of the target."""
    classes: dict[int, tuple[FindingClass, ...]]
    """By the number of the target; those that are no finding have no entry."""


def look_at(store: Store, catalogue: Catalogue, window: Window | None) -> Seen:
    """Read the calls of a window and tell what each target is in the catalogue."""
    uses = tuple(queries.uses(store.connection, window))
    called = {use.target for use in uses}
    rows = [row for row in queries.targets(store.connection) if row.id in called]
    resolved = {row.id: resolve(row, catalogue) for row in rows}
    answered = {use.target for use in uses if use.ok}
    classes = {target: found for target, what in resolved.items() if (found := _classes(what, target in answered))}
    return Seen(store, catalogue, window, uses, resolved, classes)


def _classes(what: Resolution, answered: bool) -> tuple[FindingClass, ...]:
    if what.operation is not None:
        return classes_of_operation(what.operation)
    found = class_of_finding(what.finding, answered) if what.finding else None
    return (found,) if found else ()


def calls_of(use: queries.UseRow) -> CallsSeen:
    """Give the calls of a row."""
    return CallsSeen(use.ok, use.errors, use.first, use.last)


def operation_uses(seen: Seen) -> tuple[OperationUse, ...]:
    """Give every operation of the catalogue with what was seen of it, by path and method."""
    actions: dict[str, dict[tuple[str, str], CallsSeen]] = {}
    for use in seen.uses:
        if operation := seen.resolved[use.target].operation:
            by_action = actions.setdefault(operation.id, {})
            key = (use.verb, use.detail)
            by_action[key] = by_action.get(key, NONE_SEEN) + calls_of(use)
    left_out = ineligible()
    return tuple(
        OperationUse(
            operation,
            sum(found.values(), NONE_SEEN) if (found := actions.get(operation.id, {})) else NONE_SEEN,
            tuple(Action(verb, detail, calls) for (verb, detail), calls in sorted(found.items())),
            left_out.get(operation.id, ""),
        )
        for operation in sorted(
            seen.catalogue.operations.values(), key=lambda operation: (operation.path, operation.method)
        )
    )


def not_api(seen: Seen) -> CallsSeen:
    """Add up the calls to what is served but belongs to no catalogue: health, metrics, the OpenAPI documents."""
    return add_up(calls_of(use) for use in seen.uses if seen.resolved[use.target].finding is Finding.NOT_API)


def add_up(calls: Iterable[CallsSeen]) -> CallsSeen:
    """Add calls up."""
    return sum(calls, NONE_SEEN)
