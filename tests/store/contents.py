"""What a store holds, in words instead of numbers, so that two stores can be compared."""

from typing import Any

from apisnoop.store.store import Store

TALLIES = """
    SELECT targets.kind, targets.operation, targets.method, targets.path, targets.reason, actions.verb, actions.detail,
        callers.node, callers.namespace, callers.pod, callers.user, callers.client, callers.test, namespaces.name,
        tallies.status, tallies.hour, tallies.count, tallies.first, tallies.last, tallies.durations
    FROM tallies JOIN targets ON targets.id = target JOIN actions ON actions.id = action
    JOIN callers ON callers.id = caller JOIN namespaces ON namespaces.id = tallies.namespace
"""
NAMES = """
    SELECT targets.path, actions.verb, actions.detail, callers.pod, callers.user, callers.client, namespaces.name,
        object_names.name, object_names.count, first_hour, last_hour
    FROM object_names JOIN targets ON targets.id = target JOIN actions ON actions.id = action
    JOIN callers ON callers.id = caller JOIN namespaces ON namespaces.id = object_names.namespace
"""
UNFINISHED_ACCESSES = """
    SELECT audit_id, targets.path, actions.verb, actions.detail, callers.user, callers.client, namespaces.name,
        unfinished_accesses.name
    FROM unfinished_accesses JOIN targets ON targets.id = target JOIN actions ON actions.id = action
    JOIN callers ON callers.id = caller JOIN namespaces ON namespaces.id = unfinished_accesses.namespace
"""
RECORDS = {
    "runs": "*",
    "imports": "path, format, head_length, head_digest, position, tail_digest, lines, calls, problem",
    "catalogues": "*",
    "losses": "*",
    "recordings": "*",
    "unfinished": "*",
    "seen_ids": "*",
    "origins": "*",
    "nodes": "*",
    "standings": "*",
}


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a store holds, sorted."""
    questions = {"tallies": TALLIES, "names": NAMES, "unfinished_accesses": UNFINISHED_ACCESSES}
    questions |= {table: f"SELECT {columns} FROM {table}" for table, columns in RECORDS.items()}
    return {what: sorted(store.connection.execute(question).fetchall()) for what, question in questions.items()}


def calls_in(store: Store) -> int:
    """How many calls a store has counted."""
    return int(store.connection.execute("SELECT coalesce(sum(count), 0) FROM tallies").fetchone()[0])
