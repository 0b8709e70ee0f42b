"""Object names: kept while they are few, for then they can be listed in a role; of many only that there were many.

A target, action, caller and namespace either has names, at most the cap, or the one name `(other)` for all its calls.
Which of the two does not depend on the order in which names came.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apisnoop.calls.tally import OTHER
from apisnoop.store.dimensions import Ids

KEY = "target = ? AND action = ? AND caller = ? AND namespace = ?"
ADD = """
    INSERT INTO object_names VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count, first_hour = min(first_hour, excluded.first_hour),
        last_hour = max(last_hour, excluded.last_hour)
"""
KNOWN = f"SELECT name, count, first_hour, last_hour FROM object_names WHERE {KEY}"  # noqa: S608 - constants
FORGET = f"DELETE FROM object_names WHERE {KEY}"  # noqa: S608 - constants
JOIN_CROWDED = (
    """
    CREATE TEMP TABLE crowded AS
    SELECT target, action, caller, namespace, ? AS name, sum(count), min(first_hour), max(last_hour)
    FROM main.object_names GROUP BY target, action, caller, namespace
    HAVING count(*) > ? OR (count(*) > 1 AND max(name = ?))
    """,
    """
    DELETE FROM main.object_names WHERE (target, action, caller, namespace) IN
        (SELECT target, action, caller, namespace FROM temp.crowded)
    """,
    "INSERT INTO main.object_names SELECT * FROM temp.crowded",
    "DROP TABLE temp.crowded",
)


@dataclass(slots=True)
class NameUse:
    """How often a name was used, and in which hours."""

    count: int
    first_hour: int
    last_hour: int

    def add(self, count: int, first_hour: int, last_hour: int) -> None:
        """Count more uses."""
        self.count += count
        self.first_hour = min(self.first_hour, first_hour)
        self.last_hour = max(self.last_hour, last_hour)


type Uses = dict[str, NameUse]


def gather(found: Iterable[tuple[Ids, int, dict[str, int]]]) -> dict[Ids, Uses]:
    """Put the names of tallies together: the numbers of each, its hour, and its names with their counts."""
    gathered: dict[Ids, Uses] = {}
    for ids, hour, names in found:
        uses = gathered.setdefault(ids, {}) if names else {}
        for name, count in names.items():
            _add(uses, name, count, hour, hour)
    return gathered


def add_names(connection: sqlite3.Connection, gathered: dict[Ids, Uses], cap: int) -> None:
    """Add names to the store; with a cap of zero only those that are known already."""
    connection.executemany(ADD, _rows(connection, gathered, cap))


def _rows(connection: sqlite3.Connection, gathered: dict[Ids, Uses], cap: int) -> Iterator[tuple[int | str, ...]]:
    for ids, new in gathered.items():
        uses = new
        known = connection.execute(KNOWN, ids).fetchall()
        names = {row[0] for row in known} | uses.keys()
        if OTHER in names or len(names) > max(cap, len(known)):
            for name, *use in known:
                _add(uses, name, *use)
            if known:
                connection.execute(FORGET, ids)
            uses = {OTHER: _total(uses)}
        for name, use in uses.items():
            yield *ids, name, use.count, use.first_hour, use.last_hour


def _add(uses: Uses, name: str, count: int, first_hour: int, last_hour: int) -> None:
    use = uses.get(name)
    if use is None:
        uses[name] = NameUse(count, first_hour, last_hour)
    else:
        use.add(count, first_hour, last_hour)


def _total(uses: Uses) -> NameUse:
    return NameUse(
        sum(use.count for use in uses.values()),
        min(use.first_hour for use in uses.values()),
        max(use.last_hour for use in uses.values()),
    )


def join_crowded(connection: sqlite3.Connection, cap: int) -> None:
    """Leave `(other)` of all names that are too many, in the whole store and within the caller's transaction."""
    parameters: list[tuple[str | int, ...]] = [(OTHER, cap, OTHER), (), (), ()]
    for statement, values in zip(JOIN_CROWDED, parameters, strict=True):
        connection.execute(statement, values)
