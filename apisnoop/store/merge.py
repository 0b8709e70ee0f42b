"""Merging stores: every count of each, added up. The order of merging does not matter.

A merged store holds what its inputs hold together, so no cap is applied here but that of object names, which does not
depend on order: "(other)" of the inputs stays "(other)".
Merging a store with itself counts twice, and so does merging two stores that imported the same file: `shared_inputs`
tells.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from apisnoop.store.caps import Caps
from apisnoop.store.connection import is_unwritable, uri_of
from apisnoop.store.errors import StoreError, store_errors
from apisnoop.store.names import join_crowded
from apisnoop.store.schema import CALLER_COLUMNS, TARGET_COLUMNS
from apisnoop.store.store import Store

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "targets": TARGET_COLUMNS,
    "callers": CALLER_COLUMNS,
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
    WHERE TRUE
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), durations = merge_durations(durations, excluded.durations)
"""
NAMES = """
    INSERT INTO main.object_names
    SELECT targets.ours, actions.ours, callers.ours, namespaces.ours, name, count, first_hour, last_hour
    FROM other.object_names AS theirs
    JOIN temp.same_targets AS targets ON targets.theirs = theirs.target
    JOIN temp.same_actions AS actions ON actions.theirs = theirs.action
    JOIN temp.same_callers AS callers ON callers.theirs = theirs.caller
    JOIN temp.same_namespaces AS namespaces ON namespaces.theirs = theirs.namespace
    WHERE TRUE
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
RECORDS = (
    """
    INSERT INTO main.runs SELECT * FROM other.runs WHERE TRUE
    ON CONFLICT DO UPDATE SET calls = max(calls, excluded.calls),
        ended = max(ifnull(ended, excluded.ended), ifnull(excluded.ended, ended)),
        exit_code = max(ifnull(exit_code, excluded.exit_code), ifnull(excluded.exit_code, exit_code))
    """,
    f"""
    INSERT INTO main.imports ({IMPORT_COLUMNS})
    SELECT {IMPORT_COLUMNS} FROM other.imports EXCEPT SELECT {IMPORT_COLUMNS} FROM main.imports
    """,  # noqa: S608 - constants
    """
    INSERT INTO main.catalogues SELECT * FROM other.catalogues WHERE TRUE
    ON CONFLICT DO UPDATE SET first_used = min(first_used, excluded.first_used),
        last_used = max(last_used, excluded.last_used)
    """,
    """
    INSERT INTO main.recordings SELECT * FROM other.recordings WHERE TRUE
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until), ended = max(ended, excluded.ended)
    """,
    """
    INSERT INTO main.losses SELECT * FROM other.losses WHERE TRUE
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), example = CASE WHEN example = '' THEN excluded.example
        WHEN excluded.example = '' THEN example ELSE min(example, excluded.example) END
    """,
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


def merge_into(target: Store, source: Store) -> None:
    """Add everything that `source` holds to `target`, or nothing. Raises StoreError."""
    connection = target.connection
    attach(connection, source)
    try:
        with damages_told(source.path), target.transaction():
            for table, columns in DIMENSIONS.items():
                _join_dimension(connection, table, columns)
            for statement in (TALLIES, NAMES, UNFINISHED_ACCESSES, *RECORDS):
                connection.execute(statement)
            join_crowded(connection, Caps().names)
            for table in DIMENSIONS:
                connection.execute(f"DROP TABLE temp.same_{table}")
    finally:
        connection.execute("DETACH other")


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


def _join_dimension(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Add the values of one dictionary, and make a table of which number there is which here."""
    names = ", ".join(columns)
    connection.execute(f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM other.{table}")  # noqa: S608
    connection.execute(f"CREATE TEMP TABLE same_{table} (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL)")
    connection.execute(
        f"INSERT INTO temp.same_{table} SELECT theirs.id, ours.id "  # noqa: S608 - constants
        f"FROM other.{table} AS theirs JOIN main.{table} AS ours USING ({names})"
    )


def shared_inputs(left: Store, right: Store) -> list[str]:
    """Name the inputs that both stores have imported, and whose calls their merger counts twice."""
    digests = "SELECT path, head_digest FROM imports WHERE calls > 0"
    known = {digest for _, digest in left.connection.execute(digests)}
    return sorted({path for path, digest in right.connection.execute(digests) if digest in known})
