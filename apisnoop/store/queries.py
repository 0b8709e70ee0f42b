"""The questions coverage and reports ask of a store. Answers are plain rows; numbers of targets and callers join them.

A call is `ok` when its status is 100 to 399; the rest, and status 0 (no answer seen), are `errors`. Windows are whole
hours (see `window`); None stands for all of time.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from apisnoop.store.schema import CALLER_COLUMNS, TARGET_COLUMNS
from apisnoop.store.window import HOUR, Window


class TargetRow(msgspec.Struct, frozen=True, gc=False):
    """A target by its number; strings are empty where there is none."""

    id: int
    kind: str
    """`operation`, or the value of a `Finding`."""
    operation: str
    method: str
    path: str
    api_group: str
    version: str
    resource: str
    subresource: str
    object_kind: str
    level: str
    deprecated: int
    scope: str
    reason: str


class CallerRow(msgspec.Struct, frozen=True, gc=False):
    """A caller by its number; an empty string means unknown."""

    id: int
    node: str
    namespace: str
    pod: str
    pod_uid: str
    container: str
    workload: str
    service_account: str
    user: str
    client: str
    client_version: str
    component: str
    test: str


class UseRow(msgspec.Struct, frozen=True, gc=False):
    """How often a target was called with one verb and detail, and when first and last (epoch seconds)."""

    target: int
    verb: str
    detail: str
    ok: int
    errors: int
    first: float
    last: float


class GroupUseRow(msgspec.Struct, frozen=True, gc=False):
    """How often a group of callers called a target."""

    target: int
    group: int
    ok: int
    errors: int
    first: float
    last: float


class AccessRow(msgspec.Struct, frozen=True, gc=False):
    """What one caller did to a target in one namespace ("" for none); `refused` counts 401 and 403, `created` 201,
    `ok` 100 to 399, `missing` 404."""

    target: int
    caller: int
    verb: str
    namespace: str
    calls: int
    refused: int
    created: int
    ok: int
    missing: int


class NameRow(msgspec.Struct, frozen=True, gc=False):
    """How often an object was named; where there were more names than the store's cap, `(other)` stands for all."""

    target: int
    caller: int
    verb: str
    namespace: str
    name: str
    count: int


class LossRow(msgspec.Struct, frozen=True, gc=False):
    """What was not counted, when (epoch seconds; 0 where the source has no time), with one example."""

    source: str
    reason: str
    detail: str
    count: int
    first: float
    last: float
    example: str


class ImportRow(msgspec.Struct, frozen=True, gc=False):
    """An input that was read: up to which position, how many lines or records, how many of them calls, and when.

    `problem` says in words how its reading ended before its time (cut off in a line, damaged), or is empty.
    """

    path: str
    format: str
    position: int
    lines: int
    calls: int
    started: float
    updated: float
    problem: str


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """A command that was watched; `ended` and `exit_code` are None while it runs or when its watcher was killed."""

    id: str
    command: str
    host: str
    started: float
    ended: float | None
    exit_code: int | None
    calls: int
    version: str


class CatalogueRow(msgspec.Struct, frozen=True, gc=False):
    """A catalogue that calls were matched against."""

    release: str
    source: str
    digest: str
    first_used: float
    last_used: float


class UnfinishedRow(msgspec.Struct, frozen=True, gc=False):
    """Requests whose end no source has shown yet, e.g. a watch still open."""

    verb: str
    count: int
    oldest: float


class UnfinishedAccessRow(msgspec.Struct, frozen=True, gc=False):
    """What one caller does in requests that are being answered and have not ended; no calls yet, and never refused.

    `name` is that of the object, "" where none was given, and `(other)` for one too long to keep.
    """

    target: int
    caller: int
    verb: str
    namespace: str
    name: str
    calls: int


class OriginRow(msgspec.Struct, frozen=True, gc=False):
    """What was pulled from another store: its node, when the snapshot was taken, and the calls in it."""

    id: str
    node: str
    taken: float
    calls: int


class NodeRow(msgspec.Struct, frozen=True, gc=False):
    """A node that was asked for its calls: when last, and why it gave none; empty where it did."""

    node: str
    asked: float
    problem: str


class StandingRow(msgspec.Struct, frozen=True, gc=False):
    """How it stood with a pod that was not recorded, or not wholly, when its node was last asked."""

    node: str
    namespace: str
    pod: str
    state: str
    why: str
    existing: int
    asked: float
    """When that was, in epoch seconds."""


USES = """
    SELECT target, verb, detail, ok, total - ok, first, last FROM (
        SELECT target, action, sum(CASE WHEN status BETWEEN 100 AND 399 THEN count ELSE 0 END) AS ok,
            sum(count) AS total, min(first) AS first, max(last) AS last
        FROM tallies WHERE hour >= ? AND hour < ? GROUP BY target, action
    ) JOIN actions ON actions.id = action
"""
# One target at a time: its tallies are sorted by group while they are still in the processor's cache. CROSS JOIN keeps
# the order of the loops: tallies as they lie in the file, the group looked up for each.
USES_BY_GROUP = """
    SELECT target, "group", sum(CASE WHEN status BETWEEN 100 AND 399 THEN count ELSE 0 END),
        sum(CASE WHEN status BETWEEN 100 AND 399 THEN 0 ELSE count END), min(first), max(last)
    FROM tallies CROSS JOIN temp.caller_groups ON caller_groups.caller = tallies.caller
    WHERE target = ? AND hour >= ? AND hour < ? GROUP BY "group"
"""
ACCESSES = """
    SELECT target, caller, verb, namespaces.name, sum(count), sum(refused), sum(created), sum(ok), sum(missing)
    FROM (
        SELECT target, action, caller, namespace, sum(count) AS count,
            sum(CASE WHEN status IN (401, 403) THEN count ELSE 0 END) AS refused,
            sum(CASE WHEN status BETWEEN 100 AND 399 THEN count ELSE 0 END) AS ok,
            sum(CASE WHEN status = 201 THEN count ELSE 0 END) AS created,
            sum(CASE WHEN status = 404 THEN count ELSE 0 END) AS missing
        FROM tallies WHERE hour >= ? AND hour < ? GROUP BY target, action, caller, namespace
    ) JOIN actions ON actions.id = action JOIN namespaces ON namespaces.id = namespace
    GROUP BY target, caller, verb, namespace
"""
NAMES = """
    SELECT target, caller, verb, namespaces.name, object_names.name, sum(count)
    FROM object_names JOIN actions ON actions.id = action JOIN namespaces ON namespaces.id = namespace
    WHERE last_hour >= ? AND first_hour < ? GROUP BY target, caller, verb, namespace, object_names.name
"""
LOSSES = """
    SELECT source, reason, detail, sum(count), min(first), max(last), max(example) FROM losses
    GROUP BY source, reason, detail ORDER BY sum(count) DESC, source, reason, detail
"""
UNFINISHED = "SELECT verb, count(*), min(started) FROM unfinished GROUP BY verb ORDER BY verb"
UNFINISHED_ACCESSES = """
    SELECT target, caller, actions.verb, namespaces.name, accesses.name, count(*)
    FROM unfinished_accesses AS accesses JOIN unfinished USING (audit_id)
    JOIN actions ON actions.id = action JOIN namespaces ON namespaces.id = namespace
    WHERE started >= ? AND started < ? GROUP BY target, caller, actions.verb, namespace, accesses.name
"""


def targets(connection: sqlite3.Connection) -> list[TargetRow]:
    """Give every target."""
    return _rows(connection, TargetRow, f"SELECT id, {', '.join(TARGET_COLUMNS)} FROM targets")  # noqa: S608 - constants


def callers(connection: sqlite3.Connection) -> list[CallerRow]:
    """Give every caller."""
    return _rows(connection, CallerRow, f"SELECT id, {', '.join(CALLER_COLUMNS)} FROM callers")  # noqa: S608 - constants


def uses(connection: sqlite3.Connection, window: Window | None = None) -> list[UseRow]:
    """Give the use of every target called within the window, by verb and detail."""
    return _rows(connection, UseRow, USES, *_bounds(window))


def uses_by_group(
    connection: sqlite3.Connection, groups: Mapping[int, int], targets: Iterable[int], window: Window | None = None
) -> Iterator[GroupUseRow]:
    """Give the use of these targets by groups of callers (`groups`: caller to group) within the window.

    Works on a read-only store too: what tells the groups lives in the connection's own temporary database.
    """
    connection.execute('CREATE TEMP TABLE IF NOT EXISTS caller_groups (caller INTEGER PRIMARY KEY, "group" INTEGER)')
    connection.execute("DELETE FROM temp.caller_groups")
    connection.executemany("INSERT INTO temp.caller_groups VALUES (?, ?)", groups.items())
    bounds = _bounds(window)
    for target in sorted(targets):
        yield from _rows(connection, GroupUseRow, USES_BY_GROUP, target, *bounds)


def accesses(connection: sqlite3.Connection, window: Window | None = None) -> list[AccessRow]:
    """Give what every caller did in every namespace within the window: what `rbac` grants."""
    return _rows(connection, AccessRow, ACCESSES, *_bounds(window))


def object_names(connection: sqlite3.Connection, window: Window | None = None) -> list[NameRow]:
    """Give the object names used; the window keeps each name whose first to last use overlaps it."""
    return _rows(connection, NameRow, NAMES, *_bounds(window))


def imports(connection: sqlite3.Connection) -> list[ImportRow]:
    """Give the inputs read, in the order in which they were first read."""
    return _table(connection, ImportRow, "imports ORDER BY id")


def runs(connection: sqlite3.Connection) -> list[RunRow]:
    """Give the commands watched, oldest first."""
    return _table(connection, RunRow, "runs ORDER BY started, id")


def runs_during(connection: sqlite3.Connection, first: float, last: float) -> list[RunRow]:
    """Give the commands watched at any time between two moments (epoch seconds); one that has not ended still is."""
    return [row for row in runs(connection) if row.started <= last and (row.ended is None or row.ended >= first)]


def losses(connection: sqlite3.Connection) -> list[LossRow]:
    """Give what was not counted, the most frequent first."""
    return _rows(connection, LossRow, LOSSES)


def catalogues_used(connection: sqlite3.Connection) -> list[CatalogueRow]:
    """Give the catalogues calls were matched against, the latest first."""
    return _table(connection, CatalogueRow, "catalogues ORDER BY last_used DESC, release, source")


def origins(connection: sqlite3.Connection) -> list[OriginRow]:
    """Give the stores that were pulled, by node, the latest snapshot first."""
    return _table(connection, OriginRow, "origins ORDER BY node, taken DESC, id")


def nodes(connection: sqlite3.Connection) -> list[NodeRow]:
    """Give the nodes that were asked."""
    return _table(connection, NodeRow, "nodes ORDER BY node")


def standings(connection: sqlite3.Connection) -> list[StandingRow]:
    """Give the pods that should be recorded and are not, or not wholly, by namespace and name."""
    return _table(connection, StandingRow, "standings ORDER BY namespace, pod, node")


def rolled_up_before(connection: sqlite3.Connection) -> int | None:
    """Give the hour before which pods count for their workload; None where none do."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'rolled_up_before'").fetchone()
    return None if row is None else int(row[0])


def unfinished(connection: sqlite3.Connection) -> list[UnfinishedRow]:
    """Give the requests without an end, by verb."""
    return _rows(connection, UnfinishedRow, UNFINISHED)


def unfinished_accesses(connection: sqlite3.Connection, window: Window | None = None) -> list[UnfinishedAccessRow]:
    """Give what every caller does in requests that began within the window and have not ended: rights it needs too."""
    since, until = _bounds(window)
    return _rows(connection, UnfinishedAccessRow, UNFINISHED_ACCESSES, since * HOUR, until * HOUR)


def _bounds(window: Window | None) -> tuple[int, int]:
    return (window or Window()).bounds


def _table[Row: msgspec.Struct](connection: sqlite3.Connection, kind: type[Row], table: str) -> list[Row]:
    columns = ", ".join(kind.__struct_fields__)
    return _rows(connection, kind, f"SELECT {columns} FROM {table}")  # noqa: S608 - constants


def _rows[Row: msgspec.Struct](
    connection: sqlite3.Connection, kind: type[Row], statement: str, *values: int | str
) -> list[Row]:
    return [kind(*row) for row in connection.execute(statement, values)]
