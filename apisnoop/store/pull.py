"""Pulling: the snapshot of a node's store takes the place of the one that was pulled before.

Snapshots are cumulative, so adding them up would count every call again each time. What came from a store is therefore
told apart by that store's identity, which all its snapshots share. A node whose proxy began a new store has two: the
last snapshot of the old one stays, and so does that of a node which is gone.
"""

import sqlite3
from collections.abc import Iterable
from itertools import islice

import msgspec

from apisnoop.calls.recording import Standing
from apisnoop.store.errors import StoreError
from apisnoop.store.merge import FORGET_OUTDATED, IDEMPOTENT, OUTDATED_STANDINGS, beside, copy_counts
from apisnoop.store.store import Store
from apisnoop.store.window import FOREVER

LONGEST = 253
"""Characters of a name, as Kubernetes has it, and of a reason."""
MOST_STANDINGS = 1_000
"""Of one node; a kubelet runs some hundred pods."""
HELD = "SELECT taken, calls, since_hour FROM main.origins WHERE id = ?"
COUNT = "SELECT coalesce(sum(count), 0) FROM other.tallies WHERE hour >= ?"
NOTE_NODE = """
    INSERT INTO main.nodes VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET asked = excluded.asked, problem = excluded.problem WHERE excluded.asked >= asked
"""


class Pulled(msgspec.Struct, frozen=True):
    """What pulling a snapshot has come to."""

    node: str
    calls: int
    """Calls that are now held of this store."""
    new: int
    """How many of them were not before; negative where the store has forgotten some."""
    is_newer: bool
    """False: a later snapshot is held already, and nothing was changed."""


def pull_into(target: Store, snapshot: Store, *, node: str, taken: float) -> Pulled:
    """Put all that a node has counted in the place of what was pulled from the same store before, or do nothing.

    `taken` is when the snapshot was made (epoch seconds). Raises StoreError where `snapshot` is no store of a node.
    """
    if snapshot.identity == target.identity:
        raise StoreError(f"store {target.path} is a copy of that of node {node}: name another file with --db")
    node = node[:LONGEST]
    with beside(target, snapshot) as connection:
        if connection.execute("SELECT 1 FROM other.origins").fetchone():
            raise StoreError(f"store {snapshot.path} was itself pulled from nodes: merge it with `apisnoop merge`")
        held = connection.execute(HELD, (snapshot.identity,)).fetchone()
        before, calls, since = held or (-1.0, 0, -FOREVER)
        if before > taken:
            return Pulled(node, calls, 0, is_newer=False)
        _replace(connection, snapshot.identity, since)
        found: int = connection.execute(COUNT, (since,)).fetchone()[0]
        origin = (snapshot.identity, node, taken, found, since)
        connection.execute("INSERT OR REPLACE INTO main.origins VALUES (?, ?, ?, ?, ?)", origin)
        connection.execute(NOTE_NODE, (node, taken, ""))
        connection.execute(OUTDATED_STANDINGS)
    return Pulled(node, found, found - calls, is_newer=True)


def _replace(connection: sqlite3.Connection, identity: str, since: int) -> None:
    connection.execute("INSERT INTO temp.outdated VALUES (?)", (identity,))
    for statement in FORGET_OUTDATED:
        connection.execute(statement)
    copy_counts(connection, identity, since)
    for statement in IDEMPOTENT:
        connection.execute(statement, {"since": since})


def note_unanswered(target: Store, *, node: str, reason: str, at: float) -> None:
    """Remember that a node gave no snapshot when it was asked (epoch seconds), so that reports call it missing."""
    with target.transaction():
        target.connection.execute(NOTE_NODE, (node[:LONGEST], at, reason[:LONGEST] or "no answer"))


def note_standings(target: Store, *, node: str, pods: Iterable[Standing], at: float) -> None:
    """Remember which pods of a node should be recorded and are not, as its agent said at that time (epoch seconds).

    It takes the place of what the node said before.
    """
    rows = [(node[:LONGEST], *_row(pod), at) for pod in islice(pods, MOST_STANDINGS)]
    with target.transaction():
        target.connection.execute("DELETE FROM standings WHERE node = ?", (node[:LONGEST],))
        target.connection.executemany("INSERT OR REPLACE INTO standings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _row(pod: Standing) -> tuple[str | int, ...]:
    texts = (pod.pod_uid, pod.namespace, pod.pod, pod.state, pod.why)
    return (*(text[:LONGEST] for text in texts), pod.existing)
