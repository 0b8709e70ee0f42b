"""Gathering a report's provenance from a store: which recordings it holds, and what is missing from them."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from apisnoop.coverage.provenance import CatalogueUsed, Lost, Provenance, Source
from apisnoop.coverage.recorded import recordings_of
from apisnoop.coverage.seen import Seen
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR, Window

IN_MEMORY = ":memory:"
IN_MEMORY_NAME = "in memory"
CLUSTER_NAME = "cluster "
"""What the name of a store begins with that holds what a cluster's nodes say, for one report only."""
WITHOUT_END = "still running, or ended without saying so: calls open at that moment are not counted"
"""State of a run that has not told the store its end. Which of the two it is, its store cannot know."""


def provenance_of(seen: Seen, generated: float) -> Provenance:
    """Say where the figures of a report on one catalogue come from; `generated` (epoch seconds) is when it was made."""
    catalogue = seen.catalogue
    own = CatalogueUsed(catalogue.release, catalogue.source, catalogue.digest)
    return origin_of(seen.store, own, seen.window, seen.uses, generated)


def origin_of(
    store: Store, own: CatalogueUsed | None, window: Window | None, uses: Sequence[queries.UseRow], generated: float
) -> Provenance:
    """Say where figures come from; without a catalogue of the report's own it is the last one used while recording."""
    window = window or Window()
    recorded = tuple(
        CatalogueUsed(row.release, row.source, row.digest) for row in queries.catalogues_used(store.connection)
    )
    since = None if window.since is None else float(window.since * HOUR)
    until = None if window.until is None else float(window.until * HOUR)
    lost = lost_from(store)
    own = own or (recorded[0] if recorded else CatalogueUsed("", "none is named in the store", ""))
    return Provenance(
        catalogue=own,
        store=_name_of(store),
        generated=generated,
        since=since,
        until=until,
        first_seen=min((use.first for use in uses if use.first), default=None),
        last_seen=max((use.last for use in uses if use.last), default=None),
        calls=sum(use.ok + use.errors for use in uses),
        recorded_with=recorded,
        sources=sources_of(store),
        lost=lost,
        recordings=recordings_of(store.connection, lost, since, until),
        notes=(*notes_on(own, recorded, window), *notes_on_pods(store, window, uses)),
    )


def _name_of(store: Store) -> str:
    """Give a store's path as text; bytes of a file name that are no UTF-8 become U+FFFD."""
    return IN_MEMORY_NAME if store.path == IN_MEMORY else os.fsencode(store.path).decode(errors="replace")


def sources_of(store: Store) -> tuple[Source, ...]:
    """Give every recording that went into the store: imported files, then runs, then nodes."""
    imports = (
        Source("import", row.path, row.calls, row.started, row.updated, row.problem)
        for row in queries.imports(store.connection)
    )
    return (*imports, *(_run(row) for row in queries.runs(store.connection)), *_nodes(store))


def _run(row: queries.RunRow) -> Source:
    state = WITHOUT_END if row.ended is None else f"exit code {row.exit_code}" if row.exit_code else ""
    return Source("run", row.command, row.calls, row.started, row.ended, state)


def _nodes(store: Store) -> list[Source]:
    """Give the snapshots of nodes, and what is missing where a node gave none when it was last asked."""
    problems = {row.node: row for row in queries.nodes(store.connection) if row.problem}
    sources = []
    for row in queries.origins(store.connection):
        silent = problems.pop(row.node, None)
        state = f"{_silence(silent)}: later calls are missing" if silent else ""
        sources.append(Source("node", row.node, row.calls, None, row.taken, state))
    missing = (Source("node", row.node, state=f"{_silence(row)}: its calls are missing") for row in problems.values())
    return [*sources, *missing]


def _silence(row: queries.NodeRow) -> str:
    return f"no answer at {datetime.fromtimestamp(row.asked, UTC):%Y-%m-%d %H:%M:%S UTC} ({row.problem})"


def notes_on_pods(store: Store, window: Window, uses: Sequence[queries.UseRow]) -> list[str]:
    """Say up to when calls are no longer told apart by pod, where window and calls reach back so far."""
    hour = queries.rolled_up_before(store.connection)
    if hour is None or (window.since is not None and window.since >= hour):
        return []
    if all(use.first >= hour * HOUR for use in uses):
        return []  # a young store
    when = datetime.fromtimestamp(hour * HOUR, UTC)
    return [f"Calls before {when:%Y-%m-%d %H:%M UTC} count for the workload of their pod: pods are not told apart."]


def lost_from(store: Store) -> tuple[Lost, ...]:
    """Give what the store knows was not counted, calls without an end among it."""
    lost = [Lost(r.source, r.reason, r.detail, r.count, r.example) for r in queries.losses(store.connection)]
    lost += [
        Lost("audit log", "unfinished", row.verb, row.count)
        for row in queries.unfinished(store.connection)
        if row.count
    ]
    return tuple(lost)


def notes_on(own: CatalogueUsed, recorded: Sequence[CatalogueUsed], window: Window) -> list[str]:
    """Give sentences on what limits the figures."""
    notes = []
    others = [used for used in recorded if used.digest != own.digest]
    if others:
        by_release = own.release and all(used.release not in {"", own.release} for used in others)
        names = sorted({used.release if by_release else used.source for used in others})
        notes.append(
            f"Recorded against {', '.join(names)}, reported against {own.release if by_release else own.source}: "
            "operations that only the former has appear as findings."
        )
    if not window.is_open:
        notes.append("The window is widened to whole hours; sources and losses are those of the whole store.")
    return notes
