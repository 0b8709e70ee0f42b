"""Requests that have begun and not ended: what the store keeps of them."""

import pytest

from apisnoop.calls.audit.tracking import Unfinished
from apisnoop.store import queries
from apisnoop.store.caps import Caps
from apisnoop.store.clear import clear
from apisnoop.store.importing import importer as importer_module
from apisnoop.store.importing import unfinished as unfinished_module
from apisnoop.store.importing.importer import Importer, Settings
from apisnoop.store.window import HOUR, Window
from tests.calls.sample import CATALOGUE, line, log
from tests.store.batches import NINE
from tests.store.contents import calls_in, contents

WATCH = {"verb": "watch", "requestURI": "/api/v1/namespaces/shop/pods?watch=true"}
EXEC = {"verb": "create", "requestURI": "/api/v1/namespaces/shop/pods/web-1/exec?command=env"}
BEGUN = {"stage": "ResponseStarted"}
NINE_HOUR = int(NINE) // HOUR


@pytest.fixture
def read(store, tmp_path):
    """Import some lines as a file of their own."""

    def read(data, name="audit.log", **settings):
        (tmp_path / name).write_bytes(data)
        return Importer(store, CATALOGUE, Settings(**settings)).run(str(tmp_path / name))

    return read


def rows(store, window=None):
    """The accesses of unfinished requests, in words."""
    targets = {row.id: row.path for row in queries.targets(store.connection)}
    users = {row.id: row.user.rpartition(":")[2] for row in queries.callers(store.connection)}
    found = queries.unfinished_accesses(store.connection, window)
    return sorted((targets[r.target], users[r.caller], r.verb, r.namespace, r.name, r.calls) for r in found)


def test_an_open_watch_is_an_access_and_no_call(store, read):
    """Who watches what is known before the watch ends; coverage counts it only then."""
    read(line(1, **WATCH, **BEGUN) + line(2, **WATCH, **BEGUN) + line(3, **EXEC | BEGUN, responseStatus={"code": 101}))
    pods = "/api/v1/namespaces/{namespace}/pods"
    assert rows(store) == [
        (pods, "web", "watch", "shop", "", 2),
        (f"{pods}/{{name}}/exec", "web", "create", "shop", "web-1", 1),
    ]
    assert calls_in(store) == 0
    assert queries.uses(store.connection) == queries.accesses(store.connection) == []


def test_an_end_makes_a_call_of_it(store, read):
    """Then the access is that of the call, also when the end lies in another file."""
    read(line(1, **WATCH, **BEGUN) + line(2, stage="RequestReceived"), "first.log")
    assert len(rows(store)) == 1
    assert [(row.verb, row.count) for row in queries.unfinished(store.connection)] == [("get", 1), ("watch", 1)]
    read(line(1, **WATCH), "second.log")
    assert rows(store) == []
    assert [(row.verb, row.count) for row in queries.unfinished(store.connection)] == [("get", 1)]
    assert [(access.verb, access.ok) for access in queries.accesses(store.connection)] == [("watch", 1)]


def test_what_is_read_twice_is_one_access(store, read):
    """Another collector's copy of the same events adds nothing."""
    begun = line(1, **WATCH, **BEGUN)
    read(begun, "first.log")
    read(log(range(5, 8)) + begun, "second.log")
    read(log(range(10, 12)) + line(1, stage="RequestReceived", **WATCH) + begun, "third.log")
    assert [row[-1] for row in rows(store)] == [1]


def test_a_refusal_is_no_access(store, read):
    """Nor is a request whose answer has not begun."""
    read(line(1, **WATCH, **BEGUN, responseStatus={"code": 403}) + line(2, **WATCH, stage="RequestReceived"))
    assert rows(store) == []
    assert [row.count for row in queries.unfinished(store.connection)] == [2]


def test_several_processes_know_the_same_accesses(store, read, monkeypatch):
    """Beginning and end of a request may be counted by different ones."""
    monkeypatch.setattr(importer_module, "WORTH_WORKERS", 0)
    monkeypatch.setattr("apisnoop.store.importing.line_import.PIECE", 2_000)
    stages = (line(n, stage=stage, **WATCH) for n in range(90) for stage in ("RequestReceived", "ResponseStarted"))
    ends = (line(n, **WATCH) for n in range(60))
    read(b"".join((*stages, *ends)), jobs=3)
    assert [row[-1] for row in rows(store)] == [30]
    assert calls_in(store) == 60


def test_accesses_have_a_window(store, read):
    """As calls do, by the hour in which they began."""
    read(line(0, **WATCH, **BEGUN) + line(3600, **EXEC, **BEGUN))
    assert [row[2] for row in rows(store, Window(since=NINE_HOUR + 1))] == ["create"]
    assert [row[2] for row in rows(store, Window(until=NINE_HOUR + 1))] == ["watch"]


def test_they_are_bounded(store, read, monkeypatch):
    """Of too many requests the first are forgotten, their accesses with them, and new words are not told apart."""
    monkeypatch.setattr(unfinished_module, "Unfinished", lambda known: Unfinished(known, cap=3))
    store.caps = Caps(callers=1, namespaces=1)
    for number in range(6):
        uri = f"/api/v1/namespaces/n{number}/pods?watch=1"
        read(line(number, verb="watch", requestURI=uri, user={"username": f"u{number}"}, **BEGUN), f"{number}.log")
    kept = rows(store)
    assert sum(row[-1] for row in kept) == 3
    assert {row[3] for row in kept} == {"(other)"}
    assert sum(row.count for row in queries.losses(store.connection) if row.reason == "unfinished-forgotten") == 3


def test_clearing_forgets_them(store, read):
    """What began before the hour goes, with the words that only it used; the rest stays."""
    read(line(0, **WATCH, **BEGUN) + line(3600, **EXEC, **BEGUN))
    clear(store, NINE_HOUR + 1)
    assert [row[2] for row in rows(store)] == ["create"]
    assert len(queries.targets(store.connection)) == 1
    clear(store)
    assert contents(store)["unfinished_accesses"] == queries.targets(store.connection) == []
