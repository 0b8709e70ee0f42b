"""Merging stores: every count of each, added up. The order of merging does not matter.

A merged store holds what its inputs hold together, so no cap is applied here but that of object names, which does not
depend on order: "(other)" of the inputs stays "(other)".
Merging a store with itself counts twice, and so does merging two stores that imported the same file, or hold the same
run: `shared_inputs` tells. Of two snapshots of one node's store, which `pull` has put there, the later one counts.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from apisnoop.store.caps import Caps
from apisnoop.store.connection import is_unwritable, uri_of
from apisnoop.store.dimensions import OWN
from apisnoop.store.errors import StoreError, store_errors
from apisnoop.store.names import join_crowded
from apisnoop.store.schema import CALLER_KEY, TARGET_COLUMNS
from apisnoop.store.store import Store
from apisnoop.store.window import FOREVER

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "targets": TARGET_COLUMNS,
    "callers": CALLER_KEY,
    "actions": ("verb", "detail"),
    "namespaces": ("name",),
}
TALLIES = """
    INSERT INTO main.tallies
    SELECT targets.ours, actions.ours, callers.ours, namespaces.ours, status, hour, count, first, last, durations
    FROM other.tallies AS theirs
    JOIN temp.same_targets AS targets ON targets.theirs = theirs.target
    JOIN temp.same_actions AS actions ON actions.theirs = theirs.action
    JOIN temp.same_callers AS callers ON callers.theirs = theirs.caller
    JOIN temp.same_namespaces AS namespaces ON namespaces.theirs = theirs.namespace
    WHERE hour >= :since
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), durations = merge_durations(durations, excluded.durations)
"""
NAMES = """
    INSERT INTO main.object_names
    SELECT targets.ours, actions.ours, callers.ours, namespaces.ours, name, count, max(first_hour, :since), last_hour
    FROM other.object_names AS theirs
    JOIN temp.same_targets AS targets ON targets.theirs = theirs.target
    JOIN temp.same_actions AS actions ON actions.theirs = theirs.action
    JOIN temp.same_callers AS callers ON callers.theirs = theirs.caller
    JOIN temp.same_namespaces AS namespaces ON namespaces.theirs = theirs.namespace
    WHERE last_hour >= :since
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first_hour = min(first_hour, excluded.first_hour),
        last_hour = max(last_hour, excluded.last_hour)
"""
UNFINISHED_ACCESSES = """
    INSERT OR IGNORE INTO main.unfinished_accesses
    SELECT audit_id, targets.ours, actions.ours, callers.ours, namespaces.ours, name
    FROM other.unfinished_accesses AS theirs
    JOIN temp.same_targets AS targets ON targets.theirs = theirs.target
    JOIN temp.same_actions AS actions ON actions.theirs = theirs.action
    JOIN temp.same_callers AS callers ON callers.theirs = theirs.caller
    JOIN temp.same_namespaces AS namespaces ON namespaces.theirs = theirs.namespace
"""
IMPORT_COLUMNS = (
    "path, format, head_length, head_digest, position, tail_digest, lines, calls, started, updated, problem"
)
LOSSES = """
    INSERT INTO main.losses
    SELECT iif(origin = '', :own, origin), source, reason, detail, count, first, last, example FROM other.losses
    WHERE origin NOT IN (SELECT id FROM temp.left_out) AND (last = 0 OR last >= :since * 3600.0)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), example = CASE WHEN example = '' THEN excluded.example
        WHEN excluded.example = '' THEN example ELSE min(example, excluded.example) END
"""
SOURCES = """
    SELECT path, head_digest FROM imports WHERE calls > 0
    UNION SELECT 'a run of ' || command, id FROM runs WHERE calls > 0
"""
RUNS = """
    INSERT INTO main.runs SELECT * FROM other.runs WHERE TRUE
    ON CONFLICT DO UPDATE SET calls = max(calls, excluded.calls),
        ended = max(ifnull(ended, excluded.ended), ifnull(excluded.ended, ended)),
        exit_code = max(ifnull(exit_code, excluded.exit_code), ifnull(excluded.exit_code, exit_code))
"""
CATALOGUES = """
    INSERT INTO main.catalogues SELECT * FROM other.catalogues WHERE TRUE
    ON CONFLICT DO UPDATE SET first_used = min(first_used, excluded.first_used),
        last_used = max(last_used, excluded.last_used)
"""
RECORDINGS = """
    INSERT INTO main.recordings SELECT * FROM other.recordings WHERE until >= :since * 3600.0
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until), ended = max(ended, excluded.ended)
"""
ROLLED_UP = """
    INSERT INTO main.meta SELECT * FROM other.meta WHERE key = 'rolled_up_before'
    ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""
NODES = """
    INSERT INTO main.nodes SELECT * FROM other.nodes WHERE TRUE
    ON CONFLICT DO UPDATE SET asked = excluded.asked, problem = excluded.problem
        WHERE (excluded.asked, excluded.problem) > (asked, problem)
"""
STANDINGS = """
    INSERT INTO main.standings SELECT * FROM other.standings WHERE TRUE
    ON CONFLICT DO UPDATE SET namespace = excluded.namespace, pod = excluded.pod, state = excluded.state,
        why = excluded.why, existing = excluded.existing, asked = excluded.asked
        WHERE (excluded.asked, excluded.state, excluded.why, excluded.existing) > (asked, state, why, existing)
"""
OUTDATED_STANDINGS = """
    DELETE FROM main.standings WHERE asked < (SELECT max(taken) FROM main.origins WHERE node = standings.node)
"""
"""What a node has answered later takes the place of all that it said before.

When it answered is taken from its snapshots. That only grows, while `nodes` forgets it as soon as the node is silent,
and what a merger holds would depend on the order.
"""
IDEMPOTENT = (RUNS, CATALOGUES, RECORDINGS, ROLLED_UP, NODES, STANDINGS, OUTDATED_STANDINGS)
"""What two stores can both hold, and their merger holds once."""
BOOKMARKS = (
    f"""
    INSERT INTO main.imports ({IMPORT_COLUMNS})
    SELECT {IMPORT_COLUMNS} FROM other.imports EXCEPT SELECT {IMPORT_COLUMNS} FROM main.imports
    """,  # noqa: S608 - constants
    """
    INSERT INTO main.unfinished SELECT * FROM other.unfinished WHERE TRUE
    ON CONFLICT DO UPDATE SET stage = max(stage, excluded.stage), started = min(started, excluded.started),
        verb = min(verb, excluded.verb)
    """,
    """
    INSERT INTO main.seen_ids SELECT * FROM other.seen_ids WHERE TRUE
    ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation)
    """,
)
"""How far imports have come."""
ORIGINS = (
    """
    INSERT INTO temp.left_out SELECT id FROM other.origins AS theirs JOIN main.origins AS ours USING (id)
    WHERE (theirs.taken, theirs.since_hour) <= (ours.taken, ours.since_hour)
    """,
    """
    INSERT INTO temp.outdated SELECT id FROM other.origins JOIN main.origins USING (id)
    WHERE id NOT IN (SELECT id FROM temp.left_out)
    """,
    """
    INSERT OR REPLACE INTO main.origins SELECT * FROM other.origins
    WHERE id NOT IN (SELECT id FROM temp.left_out)
    """,
)
"""Tell of which stores ours is the later snapshot, and of which theirs."""
OUTDATED_CALLERS = "SELECT id FROM main.callers WHERE origin IN (SELECT id FROM temp.outdated)"
FORGET_OUTDATED = (
    *(
        f"DELETE FROM main.{table} WHERE caller IN ({OUTDATED_CALLERS})"  # noqa: S608 - constants
        for table in ("tallies", "object_names", "unfinished_accesses")
    ),
    "DELETE FROM main.callers WHERE origin IN (SELECT id FROM temp.outdated)",
    "DELETE FROM main.losses WHERE origin IN (SELECT id FROM temp.outdated)",
)


def merge_into(target: Store, source: Store) -> None:
    """Add everything that `source` holds to `target`, or nothing. Raises StoreError."""
    with beside(target, source) as connection:
        for statement in (*ORIGINS, *FORGET_OUTDATED):
            connection.execute(statement)
        copy_counts(connection)
        for statement in (*IDEMPOTENT, *BOOKMARKS):
            connection.execute(statement, {"since": -FOREVER})
        join_crowded(connection, Caps().names)


@contextmanager
def beside(target: Store, source: Store) -> Iterator[sqlite3.Connection]:
    """Attach `source` as `other` to the connection of `target`, for one transaction on the latter."""
    connection = target.connection
    attach(connection, source)
    try:
        with damages_told(source.path), target.transaction():
            for table in ("left_out", "outdated"):
                connection.execute(f"CREATE TEMP TABLE {table} (id TEXT PRIMARY KEY)")
            yield connection
            for table in ("left_out", "outdated"):
                connection.execute(f"DROP TABLE temp.{table}")
    finally:
        connection.execute("DETACH other")


def copy_counts(connection: sqlite3.Connection, own: str = OWN, since: int = -FOREVER) -> None:
    """Add what is counted in `other` from an hour on; what it has counted itself counts as of the origin `own`."""
    values = {"own": own, "since": since}
    for table, columns in DIMENSIONS.items():
        _join_dimension(connection, table, columns, own)
    for statement in (TALLIES, NAMES, UNFINISHED_ACCESSES, LOSSES):
        connection.execute(statement, values)
    for table in DIMENSIONS:
        connection.execute(f"DROP TABLE temp.same_{table}")


def attach(connection: sqlite3.Connection, source: Store) -> None:
    """Attach a store as `other`; one in a folder that cannot be written as what never changes, as `connect` does."""
    with store_errors(source.path):
        for mode in ("mode=rw", "immutable=1"):
            try:
                connection.execute("ATTACH ? AS other", (f"{uri_of(source.file)}?{mode}",))
                connection.execute("SELECT 1 FROM other.sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                if mode == "immutable=1" or not is_unwritable(error):
                    raise
                if "other" in (row[1] for row in connection.execute("PRAGMA database_list")):
                    connection.execute("DETACH other")
            else:
                return


@contextmanager
def damages_told(path: str) -> Iterator[None]:
    """Turn the failure of our own SQL function, which reads histograms, into a StoreError about their store."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "user-defined function" not in str(error):
            raise
        raise StoreError(f"store {path} holds durations that cannot be read: merge the others without it") from error


def _join_dimension(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], own: str) -> None:
    """Add the values of one dictionary, and make a table of which number there is which here."""
    names = ", ".join(columns)
    theirs = f"SELECT * FROM other.{table}"  # noqa: S608 - constants, here and below
    if "origin" in columns:
        rest = ", ".join(("id", *(name for name in columns if name != "origin")))
        theirs = f"SELECT {rest}, iif(origin = '', :own, origin) AS origin FROM other.{table}"  # noqa: S608
        theirs += " WHERE origin NOT IN (SELECT id FROM temp.left_out)"
    values = {"own": own}
    connection.execute(f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM ({theirs})", values)  # noqa: S608
    connection.execute(f"CREATE TEMP TABLE same_{table} (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL)")
    connection.execute(
        f"INSERT INTO temp.same_{table} SELECT theirs.id, ours.id "  # noqa: S608
        f"FROM ({theirs}) AS theirs JOIN main.{table} AS ours USING ({names})",
        values,
    )


def shared_inputs(left: Store, right: Store) -> list[str]:
    """Name the inputs that both stores have imported, or runs of both, whose calls their merger counts twice."""
    known = {identity for _, identity in left.connection.execute(SOURCES)}
    return sorted({name for name, identity in right.connection.execute(SOURCES) if identity in known})
