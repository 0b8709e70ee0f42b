"""docs/store.md says what is in a store."""

import re
from dataclasses import asdict
from pathlib import Path

from apisnoop.calls.durations import BUCKETS
from apisnoop.store.caps import Caps
from apisnoop.store.importing.seen import CAP
from apisnoop.store.store import Store

PAGE = (Path(__file__).parents[2] / "docs/store.md").read_text()


def rows_below(heading):
    """The rows of the first table below a heading, as lists of cells."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_table_and_column_is_documented():
    """The page lists the tables, the columns of each in its row, and the keys as they are."""
    with Store.open(":memory:") as store:
        tables = {table.name: table for table in store.db.tables}
        documented = {row[0].strip("`"): row for row in rows_below("Tables")}
        assert documented.keys() == tables.keys()
        for name, table in tables.items():
            words = set(re.findall(r"`(\w+)`", " ".join(documented[name])))
            assert {column.name for column in table.columns} <= words, name
            assert sorted(re.findall(r"`(\w+)`", documented[name][1])) == sorted(table.pks), name


def test_every_view_is_documented():
    """And no other."""
    with Store.open(":memory:") as store:
        assert sorted(row[0].strip("`") for row in rows_below("Views, for people")) == sorted(store.db.view_names())


def test_every_cap_is_documented():
    """The numbers of the page are those of the program."""
    numbers = {int(row[1].replace(",", "")) for row in rows_below("Size")}
    assert numbers == {*asdict(Caps()).values(), CAP, 100_000}


def test_the_last_bucket_is_documented():
    """Where the histogram ends."""
    assert f"the last one ({BUCKETS - 1})" in PAGE
