"""The tables of the store and the steps that bring an older store forward. docs/store.md tells people the same.

Dimensions (targets, callers, actions, namespaces) are dictionaries: a tally holds their numbers, and the views put the
words back for people. A step is never changed once released: a later need is a new step at the end of `STEPS`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from apisnoop.calls.caller import Caller
from apisnoop.store.target_row import TargetRow

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x61706973
"""'apis' in ASCII; tells the store from any other SQLite file (https://www.sqlite.org/fileformat.html#application_id)."""

TABLES = (
    "tallies", "object_names", "unfinished_accesses", "targets", "actions", "callers", "namespaces", "runs", "imports",
    "catalogues", "losses", "recordings", "unfinished", "seen_ids", "origins", "nodes", "standings",
    "meta",
)  # fmt: skip
"""All tables, those that point to others first."""
TARGET_COLUMNS = TargetRow.__struct_fields__
CALLER_COLUMNS = Caller.__struct_fields__
CALLER_KEY = (*CALLER_COLUMNS, "origin")
"""What makes a caller one of its own in a store: who it is, and through which other store it was seen."""
GIVE_IDENTITY = """
    INSERT INTO meta SELECT 'identity',
        coalesce((SELECT 'first used ' || min(first_used) FROM catalogues), lower(hex(randomblob(16))))
"""
"""A name for a store of which no two have the same; all copies of one that was made without get the same, too."""


def create_dimensions(db: "Database") -> None:
    """Create the dictionaries that tallies point to."""
    targets: dict[str, type] = {"id": int, **dict.fromkeys(TARGET_COLUMNS, str), "deprecated": int}
    dimensions: dict[str, dict[str, type]] = {
        "targets": targets,
        "callers": {"id": int, **dict.fromkeys(CALLER_COLUMNS, str)},
        "actions": {"id": int, "verb": str, "detail": str},
        "namespaces": {"id": int, "name": str},
    }
    for name, columns in dimensions.items():
        table = db.table(name).create(columns, pk="id", not_null=set(columns) - {"id"}, strict=True)
        table.create_index([column for column in columns if column != "id"], f"{name}_are_distinct", unique=True)


def create_tallies(db: "Database") -> None:
    """Create the tallies, ordered so that coverage reads them in one pass, and the names of objects beside them."""
    db.execute("""
        CREATE TABLE tallies (
            target INTEGER NOT NULL REFERENCES targets (id),
            action INTEGER NOT NULL REFERENCES actions (id),
            caller INTEGER NOT NULL REFERENCES callers (id),
            namespace INTEGER NOT NULL REFERENCES namespaces (id),
            status INTEGER NOT NULL,
            hour INTEGER NOT NULL,
            count INTEGER NOT NULL,
            first REAL NOT NULL,
            last REAL NOT NULL,
            durations TEXT NOT NULL,
            PRIMARY KEY (target, action, caller, namespace, status, hour)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE object_names (
            target INTEGER NOT NULL REFERENCES targets (id),
            action INTEGER NOT NULL REFERENCES actions (id),
            caller INTEGER NOT NULL REFERENCES callers (id),
            namespace INTEGER NOT NULL REFERENCES namespaces (id),
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            first_hour INTEGER NOT NULL,
            last_hour INTEGER NOT NULL,
            PRIMARY KEY (target, action, caller, namespace, name)
        ) STRICT, WITHOUT ROWID
    """)


def create_unfinished(db: "Database") -> None:
    """Create what is kept of requests that have begun and not ended, and of what they do."""
    unfinished = {"audit_id": str, "verb": str, "stage": str, "started": float}
    db.table("unfinished").create(unfinished, pk="audit_id", not_null=unfinished, strict=True)
    # An audit id stands for one request, but a client may choose it: two stores may then know two requests by it, and
    # a merger keeps both.
    db.execute("""
        CREATE TABLE unfinished_accesses (
            audit_id TEXT NOT NULL,
            target INTEGER NOT NULL REFERENCES targets (id),
            action INTEGER NOT NULL REFERENCES actions (id),
            caller INTEGER NOT NULL REFERENCES callers (id),
            namespace INTEGER NOT NULL REFERENCES namespaces (id),
            name TEXT NOT NULL,
            PRIMARY KEY (audit_id, target, action, caller, namespace, name)
        ) STRICT, WITHOUT ROWID
    """)


def create_records(db: "Database") -> None:
    """Create what says where the tallies come from and what is missing from them."""
    db.table("runs").create(
        {
            "id": str, "command": str, "host": str, "started": float, "ended": float, "exit_code": int, "calls": int,
            "version": str,
        },
        pk="id", not_null=["command", "host", "started", "calls", "version"], strict=True,
    )  # fmt: skip
    imports = {
        "id": int, "path": str, "format": str, "head_length": int, "head_digest": str, "position": int,
        "tail_digest": str, "lines": int, "calls": int, "started": float, "updated": float, "problem": str,
    }  # fmt: skip
    table = db.table("imports").create(imports, pk="id", not_null=set(imports) - {"id"}, strict=True)
    table.create_index(["head_digest", "head_length"], "imports_by_head")
    catalogues = {"release": str, "source": str, "digest": str, "first_used": float, "last_used": float}
    db.table("catalogues").create(catalogues, pk=["release", "source", "digest"], not_null=catalogues, strict=True)
    losses = {
        "source": str, "reason": str, "detail": str, "count": int, "first": float, "last": float, "example": str,
    }  # fmt: skip
    db.table("losses").create(losses, pk=["source", "reason", "detail"], not_null=losses, strict=True)
    recordings = {
        "node": str, "namespace": str, "pod": str, "pod_uid": str, "since": float, "until": float, "ended": str,
    }  # fmt: skip
    db.table("recordings").create(recordings, pk=["pod_uid", "since"], not_null=recordings, strict=True)
    db.table("seen_ids").create({"id": int, "generation": int}, pk="id", not_null=["generation"], strict=True)


def create_views(db: "Database") -> None:
    """Create what a person wants to see first."""
    when = "datetime(min(first), 'unixepoch') AS first_seen, datetime(max(last), 'unixepoch') AS last_seen"
    dimensions = """
        FROM tallies
        JOIN targets ON targets.id = tallies.target
        JOIN callers ON callers.id = tallies.caller
        JOIN actions ON actions.id = tallies.action
        JOIN namespaces ON namespaces.id = tallies.namespace
    """
    db.create_view("calls_by_operation", f"""
        SELECT operation, method, path, level, deprecated, sum(count) AS calls,
            sum(count) FILTER (WHERE status BETWEEN 100 AND 399) AS ok, {when}
        {dimensions} WHERE kind = 'operation' GROUP BY tallies.target ORDER BY calls DESC
    """)  # fmt: skip
    db.create_view("calls_by_caller", f"""
        SELECT callers.namespace, workload, pod, container, service_account, user, client, client_version, component,
            test, sum(count) AS calls, count(DISTINCT tallies.target) AS targets, {when}
        {dimensions} GROUP BY tallies.caller ORDER BY calls DESC
    """)  # fmt: skip
    db.create_view("findings", f"""
        SELECT kind AS finding, verb, path, reason, service_account, user, client, sum(count) AS calls, {when}
        {dimensions} WHERE kind <> 'operation' GROUP BY tallies.target, verb, tallies.caller ORDER BY calls DESC
    """)  # fmt: skip
    db.create_view("calls", f"""
        SELECT kind, operation, path, verb, detail, namespaces.name AS target_namespace, status,
            datetime(hour * 3600, 'unixepoch') AS hour, count, datetime(first, 'unixepoch') AS first_seen,
            datetime(last, 'unixepoch') AS last_seen, durations, callers.namespace AS caller_namespace, workload, pod,
            container, service_account, user, client, client_version, component, test
        {dimensions}
    """)  # fmt: skip


def first_release(db: "Database") -> None:
    """Step 1: everything."""
    create_dimensions(db)
    create_tallies(db)
    create_records(db)
    create_unfinished(db)
    create_views(db)


def stores_of_nodes(db: "Database") -> None:
    """Step 2: tell apart what was pulled from which other store, so that its next snapshot takes the place of it."""
    db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")
    db.execute(GIVE_IDENTITY)
    origins = {"id": str, "node": str, "taken": float, "calls": int, "since_hour": int}
    db.table("origins").create(origins, pk="id", not_null=origins, strict=True)
    nodes = {"node": str, "asked": float, "problem": str}
    db.table("nodes").create(nodes, pk="node", not_null=nodes, strict=True)
    standings = {
        "node": str, "pod_uid": str, "namespace": str, "pod": str, "state": str, "why": str, "existing": int,
        "asked": float,
    }  # fmt: skip
    db.table("standings").create(standings, pk=["node", "pod_uid"], not_null=standings, strict=True)
    callers = db.table("callers")
    callers.add_column("origin", str, not_null_default="")
    db.execute("DROP INDEX callers_are_distinct")
    distinct = [column.name for column in callers.columns if column.name != "id"]
    callers.create_index(distinct, "callers_are_distinct", unique=True)
    db.execute("ALTER TABLE losses RENAME TO losses_without_origin")
    losses = {
        "origin": str, "source": str, "reason": str, "detail": str, "count": int, "first": float, "last": float,
        "example": str,
    }  # fmt: skip
    db.table("losses").create(losses, pk=["origin", "source", "reason", "detail"], not_null=losses, strict=True)
    db.execute("INSERT INTO losses SELECT '', * FROM losses_without_origin")
    db.execute("DROP TABLE losses_without_origin")


STEPS: tuple[Callable[["Database"], None], ...] = (first_release, stores_of_nodes)
VERSION = len(STEPS)
"""Kept in the file as SQLite's user_version."""
