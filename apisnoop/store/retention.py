"""Retention: after some time pods are no longer told apart, and their calls count for their workload.

Pods come and go with every rollout, so who made a call is what makes a store grow for ever. Nothing but which replica
it was, and on which node, is given up: no call, no name of an object, no finding. A pod whose workload no source told
stays as it is, for nothing is guessed. When which pod was recorded is no matter of calls: recordings stay.
"""

import sqlite3

import msgspec

from apisnoop.store.caps import Caps
from apisnoop.store.names import join_crowded
from apisnoop.store.schema import CALLER_KEY
from apisnoop.store.store import Store

REPLICA = ("node", "pod", "pod_uid")
"""What of a caller tells one replica of a workload from another."""
_KEPT = ", ".join(f"'' AS {column}" if column in REPLICA else column for column in CALLER_KEY)
_ROLL = (
    # Only callers that have old tallies: of a pod that runs since yesterday there is no workload to count for yet.
    "CREATE TEMP TABLE rolled (pod INTEGER PRIMARY KEY, workload INTEGER NOT NULL)",
    f"""
    CREATE TEMP TABLE old AS
    SELECT id, {_KEPT} FROM main.callers WHERE workload <> '' AND pod <> '' AND (
        id IN (SELECT caller FROM main.tallies WHERE hour < :hour)
        OR id IN (SELECT caller FROM main.object_names WHERE last_hour < :hour)
    )
    """,  # noqa: S608 - constants, here and below
    f"""
    INSERT OR IGNORE INTO main.callers ({", ".join(CALLER_KEY)})
    SELECT DISTINCT {", ".join(CALLER_KEY)} FROM temp.old
    """,  # noqa: S608
    f"""
    INSERT INTO temp.rolled
    SELECT old.id, callers.id FROM temp.old JOIN main.callers USING ({", ".join(CALLER_KEY)})
    """,  # noqa: S608
    "DROP TABLE temp.old",
    """
    INSERT INTO main.tallies
    SELECT target, action, workload, namespace, status, hour, sum(count), min(first), max(last),
        sum_durations(durations)
    FROM main.tallies JOIN temp.rolled ON pod = caller WHERE hour < :hour
    GROUP BY target, action, workload, namespace, status, hour
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
        last = max(last, excluded.last), durations = merge_durations(durations, excluded.durations)
    """,
    "DELETE FROM main.tallies WHERE hour < :hour AND caller IN (SELECT pod FROM temp.rolled)",
    """
    INSERT INTO main.object_names
    SELECT target, action, workload, namespace, name, sum(count), min(first_hour), max(last_hour)
    FROM main.object_names JOIN temp.rolled ON pod = caller WHERE last_hour < :hour
    GROUP BY target, action, workload, namespace, name
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first_hour = min(first_hour, excluded.first_hour),
        last_hour = max(last_hour, excluded.last_hour)
    """,
    "DELETE FROM main.object_names WHERE last_hour < :hour AND caller IN (SELECT pod FROM temp.rolled)",
    """
    DELETE FROM main.callers WHERE id IN (SELECT pod FROM temp.rolled)
        AND id NOT IN (SELECT caller FROM main.tallies) AND id NOT IN (SELECT caller FROM main.object_names)
        AND id NOT IN (SELECT caller FROM main.unfinished_accesses)
    """,
)
_NOTE = """
    INSERT INTO meta VALUES ('rolled_up_before', ?)
    ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""


class RolledUp(msgspec.Struct, frozen=True):
    """What became of a store: pods that count for their workload now, and tallies before and after."""

    pods: int
    tallies_before: int
    tallies_after: int


def roll_up(store: Store, before_hour: int) -> RolledUp:
    """Count the calls that pods made before an hour (since the epoch) for their workloads, all or none of them."""
    connection = store.connection
    with store.transaction():
        before = _tallies(connection)
        for statement in _ROLL:
            connection.execute(statement, {"hour": before_hour} if ":hour" in statement else {})
        (pods,) = connection.execute("SELECT count(*) FROM temp.rolled").fetchone()
        connection.execute("DROP TABLE temp.rolled")
        if pods:
            join_crowded(connection, Caps().names)
        connection.execute(_NOTE, (str(before_hour),))
        return RolledUp(pods, before, _tallies(connection) if pods else before)


def _tallies(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM tallies").fetchone()[0])
