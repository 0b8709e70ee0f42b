"""The caps of a store."""

import pytest

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import OTHER, Loss, TallyBatch
from apisnoop.store import queries
from apisnoop.store.caps import Caps
from apisnoop.store.fold import size_of
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE
from tests.store.contents import calls_in

NINE = 1_780_304_400.0
OPERATIONS = [operation for operation in CATALOGUE.operations.values() if operation.level == "stable"]
ALICE = Caller(user="alice")


def batches(count, call):
    """Batches of one call each, as the numbers 0, 1, … make them: (method, url, caller)."""
    for number in range(count):
        batch = TallyBatch()
        method, url, caller = call(number)
        batch.count(CATALOGUE.match(method, url), caller, 404, NINE, 0.001)
        yield batch


def filled(caps, count, call):
    store = Store.open(":memory:", caps=caps)
    for batch in batches(count, call):
        store.add(batch)
    return store


def test_random_paths_are_capped():
    """Paths that callers make up are told apart up to the cap; operations always are."""
    with filled(Caps(findings=5), 50, lambda n: ("GET", f"/random-{n}/path", ALICE)) as store:
        for batch in batches(50, lambda n: (OPERATIONS[n].method, OPERATIONS[n].path, ALICE)):
            store.add(batch)
        kinds = [row.kind for row in queries.targets(store.connection)]
        assert kinds.count("unknown-path") == 5 + 1
        assert kinds.count("operation") == 50
        (other,) = [row for row in queries.targets(store.connection) if row.path == OTHER]
        uses = {use.target: use.errors for use in queries.uses(store.connection)}
        assert uses[other.id] == 45
        assert calls_in(store) == 100


def test_random_agents_are_capped_and_keep_their_identity():
    """Beyond the cap who called is still known, with what program no more; then who is not known either."""

    def call(number):
        user = "mallory" if number < 20 else f"user-{number}"
        return "GET", "/api/v1/pods", Caller(user=user, client=f"agent-{number}")

    with filled(Caps(callers=5), 40, call) as store:
        rows = queries.callers(store.connection)
        assert len(rows) == 2 * 5 + 1
        assert [row.client for row in rows if row.user == "mallory"] == [*(f"agent-{n}" for n in range(5)), OTHER]
        assert [row.client for row in rows if row.user.startswith("user-")] == [OTHER] * 4
        assert [row.client for row in rows if not row.user] == [OTHER]
        assert calls_in(store) == 40


def test_known_callers_stay_known_when_full():
    """The cap keeps new ones out, not old ones."""
    with filled(Caps(callers=2), 10, lambda n: ("GET", "/api/v1/pods", Caller(user=f"user-{n % 2}"))) as store:
        assert sorted(row.user for row in queries.callers(store.connection)) == ["user-0", "user-1"]
        assert [access.calls for access in queries.accesses(store.connection)] == [5, 5]


def test_random_namespaces_and_methods_are_capped():
    """Namespaces need not exist and methods need not be HTTP's to be asked for."""
    caps = Caps(namespaces=5, actions=5)
    with filled(caps, 40, lambda n: (f"METHOD{n}", f"/api/v1/namespaces/n{n}/pods", ALICE)) as store:
        count = store.connection.execute("SELECT count(*) FROM namespaces").fetchone()[0]
        actions = store.connection.execute("SELECT count(*) FROM actions").fetchone()[0]
        assert count <= 5 + 1
        assert actions <= 5 + 1
        assert calls_in(store) == 40


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["a", "b", "c", "a"], {"a": 2, "b": 1, "c": 1}),
        (["a", "b", "c", "a", "d"], {OTHER: 5}),
        (["a", "b", "c", "d", "a", "b"], {OTHER: 6}),
    ],
)
def test_names_are_kept_while_they_are_few(names, kept):
    """The cap is the store's, over all batches: beyond it only that there were more is kept."""
    made = filled(Caps(names=3), len(names), lambda n: ("GET", f"/api/v1/namespaces/shop/pods/{names[n]}", ALICE))
    with made as store:
        found = queries.object_names(store.connection)
    assert {row.name: row.count for row in found} == kept


def test_losses_are_capped():
    """A thousand broken files are a thousand lines of losses at most."""
    batch = TallyBatch()
    for number in range(50):
        batch.lose(Loss(f"file-{number}", "not-json"), example=f"line {number}")
    with Store.open(":memory:", caps=Caps(losses=10)) as store:
        store.add(batch)
        rows = queries.losses(store.connection)
        assert len(rows) == 11
        assert sum(row.count for row in rows) == 50
        assert (rows[0].source, rows[0].count) == (OTHER, 40)


@pytest.mark.parametrize("limit", [0, 200_000])
def test_a_store_does_not_outgrow_its_size(limit):
    """Beyond its size nothing new is told apart, and every call is still counted."""

    def call(number):
        return "GET", f"/api/v1/namespaces/n{number % 700}/pods/p-{number}", Caller(user=f"user-{number}")

    with Store.open(":memory:", caps=Caps(bytes=limit)) as store:
        for start in range(0, 20_000, 1000):
            batch = TallyBatch()
            for number in range(start, start + 1000):
                method, url, caller = call(number)
                batch.count(CATALOGUE.match(method, url), caller, 200, NINE, 0.001)
            store.add(batch)
            if start == 10_000:
                size = size_of(store.connection)
        assert calls_in(store) == 20_000
        tallies = store.connection.execute("SELECT count(*) FROM tallies").fetchone()[0]
        assert tallies < 3000
        assert size_of(store.connection) - size < 2_500_000


def test_a_full_store_still_counts_what_it_knows():
    """A tally that is there is added to under its own key."""
    with filled(Caps(bytes=0), 1, lambda _: ("GET", "/api/v1/pods", ALICE)) as store:
        assert [row.client for row in queries.callers(store.connection)] == ["", OTHER]
    with filled(Caps(), 1, lambda _: ("GET", "/api/v1/pods", ALICE)) as store:
        store.caps = Caps(bytes=0)
        for batch in batches(3, lambda _: ("GET", "/api/v1/pods", ALICE)):
            store.add(batch)
        assert [access.calls for access in queries.accesses(store.connection)] == [4]
