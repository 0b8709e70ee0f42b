"""The dictionaries of a store: from a target, caller, action or namespace to its number, within the caps."""

import sqlite3

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import OTHER, OTHER_CALLER, TallyKey, coarse_target
from apisnoop.operations.match import Target
from apisnoop.store.caps import Caps
from apisnoop.store.schema import CALLER_KEY, TARGET_COLUMNS
from apisnoop.store.target_row import OPERATION, row_of

OWN = ""
"""Origin of what a store has counted itself."""

type Value = tuple[str | int, ...]
type Ids = tuple[int, int, int, int]
"""Numbers of target, action, caller and namespace."""


class Dictionary:
    """One dimension during one transaction: values already met are not looked up again."""

    def __init__(
        self, connection: sqlite3.Connection, table: str, columns: tuple[str, ...], cap: int, capped: str = "TRUE"
    ) -> None:
        where = " AND ".join(f"{column} = ?" for column in columns)
        places = ", ".join("?" * len(columns))
        self._connection = connection
        self._find = f"SELECT id FROM {table} WHERE {where}"  # noqa: S608 - constants, here and below
        self._insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
        self._cap = cap
        self._size: int = connection.execute(f"SELECT count(*) FROM {table} WHERE {capped}").fetchone()[0]  # noqa: S608
        self._known: dict[Value, int] = {}

    def id_of(self, value: Value, *otherwise: Value) -> int:
        """Give the number of a value; a new one beyond the cap becomes the first of `otherwise` there is room for.

        Each of these has as much room as the value itself; the last one always has, and so has a value without others.
        """
        known = self._known.get(value)
        if known is None:
            known = self._known[value] = self._look_up((value, *otherwise))
        return known

    def _look_up(self, choices: tuple[Value, ...]) -> int:
        for place, value in enumerate(choices, start=1):
            row = self._connection.execute(self._find, value).fetchone()
            if row is not None:
                return int(row[0])
            if place == len(choices) or self._size < self._cap * place:
                break
        self._size += len(choices) > 1
        return int(self._connection.execute(self._insert, value).lastrowid or 0)


class Dimensions:
    """All dictionaries of a store, during one transaction."""

    def __init__(self, connection: sqlite3.Connection, caps: Caps) -> None:
        is_finding = f"kind <> '{OPERATION}'"
        self._targets = Dictionary(connection, "targets", TARGET_COLUMNS, caps.findings, is_finding)
        self._callers = Dictionary(connection, "callers", CALLER_KEY, caps.callers, "origin = ''")
        self._actions = Dictionary(connection, "actions", ("verb", "detail"), caps.actions)
        self._namespaces = Dictionary(connection, "namespaces", ("name",), caps.namespaces)
        self._target_ids: dict[Target, int] = {}
        self._caller_ids: dict[Caller, int] = {}

    def ids(self, key: TallyKey) -> Ids:
        """Give the numbers of a tally's dimensions."""
        return (
            self._target_id(key.target),
            self._actions.id_of((key.verb, key.detail), (OTHER, "")),
            self._caller_id(key.caller),
            self._namespaces.id_of((key.namespace,), (OTHER,)),
        )

    def coarse_ids(self, key: TallyKey) -> Ids:
        """Give the numbers under which a tally is counted once the store has reached its size."""
        namespace = OTHER if key.namespace else ""
        return self.ids(key._replace(target=coarse_target(key.target), caller=OTHER_CALLER, namespace=namespace))

    def _target_id(self, target: Target) -> int:
        known = self._target_ids.get(target)
        if known is None:
            value = msgspec.structs.astuple(row_of(target))
            otherwise = () if target.operation else (msgspec.structs.astuple(row_of(coarse_target(target))),)
            known = self._target_ids[target] = self._targets.id_of(value, *otherwise)
        return known

    def _caller_id(self, caller: Caller) -> int:
        """Give the number of a caller; beyond the cap its identity is kept and its agent is not."""
        known = self._caller_ids.get(caller)
        if known is None:
            identity = Caller(
                namespace=caller.namespace, service_account=caller.service_account, user=caller.user, client=OTHER
            )
            choices = [(*msgspec.structs.astuple(choice), OWN) for choice in (caller, identity, OTHER_CALLER)]
            known = self._caller_ids[caller] = self._callers.id_of(*choices)
        return known
