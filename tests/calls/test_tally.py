"""Counting calls into a batch."""

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.durations import BUCKETS
from apisnoop.calls.tally import (
    NAMES_PER_TALLY,
    OTHER,
    OTHER_CALLER,
    Loss,
    TallyBatch,
)
from tests.calls.sample import CATALOGUE

NINE = 1_780_304_400.0
WEB = Caller(namespace="shop", pod="web-1")
GET_POD = CATALOGUE.match("GET", "/api/v1/namespaces/shop/pods/web-1")


def contents(batch):
    """The batch as a value that can be compared."""
    return (
        {key: (t.count, t.first, t.last, t.durations, t.names) for key, t in batch.tallies()},
        dict(batch.losses),
    )


calls = st.lists(
    st.tuples(
        st.sampled_from(["/api/v1/namespaces/a/pods/p", "/api/v1/namespaces/b/pods/q", "/apis/x.io/v1/y", "/healthz"]),
        st.sampled_from([WEB, Caller(user="alice"), Caller()]),
        st.sampled_from([200, 404, 0]),
        st.floats(NINE, NINE + 20_000),
        st.none() | st.floats(0, 100),
    ),
    max_size=30,
)


def batch_of(made):
    batch = TallyBatch()
    for url, caller, status, started, duration in made:
        batch.count(CATALOGUE.match("GET", url), caller, status, started, duration)
    batch.lose(Loss("log", "not-json"), len(made), example=str(len(made)))
    return batch


def merged(*batches):
    result = TallyBatch()
    for batch in batches:
        result.merge(copy.deepcopy(batch))
    return result


@given(calls, calls, calls)
def test_merging_does_not_depend_on_order(a, b, c):
    """Batches merge associatively and commutatively, and merging equals counting everything into one."""
    x, y, z = map(batch_of, (a, b, c))
    assert contents(merged(merged(x, y), z)) == contents(merged(x, merged(y, z)))
    assert contents(merged(x, y)) == contents(merged(y, x))
    assert contents(merged(x, y))[0] == contents(batch_of(a + b))[0]


def test_a_merged_batch_shares_nothing_with_its_parts():
    """Counting on into the merged batch leaves the part alone."""
    part = TallyBatch()
    part.count(GET_POD, WEB, 200, NINE, 0.1)
    before = copy.deepcopy(contents(part))
    whole = TallyBatch()
    whole.merge(part)
    whole.count(GET_POD, WEB, 200, NINE + 1, 0.1)
    assert contents(part) == before
    assert whole.calls == 2


def test_calls_of_one_kind_are_one_tally():
    """Count, first, last, duration and name are kept; the single call is not."""
    batch = TallyBatch()
    batch.count(GET_POD, WEB, 200, NINE + 60, 0.001)
    batch.count(GET_POD, WEB, 200, NINE + 5, None)
    batch.add(Call(match=GET_POD, caller=WEB, method="GET", path="", status=200, started=NINE + 90, duration=-3.0))
    ((key, tally),) = batch.tallies()
    assert (key.target.operation.id, key.verb, key.namespace, key.status) == (
        "readCoreV1NamespacedPod",
        "get",
        "shop",
        200,
    )
    assert key.hour == int(NINE) // 3600
    assert (tally.count, tally.first, tally.last) == (3, NINE + 5, NINE + 90)
    assert {bucket: count for bucket, count in enumerate(tally.durations) if count} == {0: 1, 10: 1}
    assert tally.names == {"web-1": 3}


@pytest.mark.parametrize("started", [-1.0, math.nan, math.inf, -math.inf, 1e300])
def test_an_impossible_time_counts_at_the_epoch(started):
    """A call with a time that cannot be is not lost."""
    batch = TallyBatch()
    batch.count(GET_POD, WEB, 200, started, 1.0)
    ((key, tally),) = batch.tallies()
    assert (key.hour, tally.first, tally.last, tally.count) == (0, 0.0, 0.0, 1)


def test_a_duration_of_years_falls_into_the_last_bucket():
    """A duration has no limit, the histogram has."""
    batch = TallyBatch()
    batch.count(GET_POD, WEB, 200, NINE, 1e9)
    assert next(batch.tallies())[1].durations[BUCKETS - 1] == 1


def test_a_status_that_cannot_be_counts_as_none():
    """Three digits are a status; anything else would make as many tallies as there are numbers."""
    batch = TallyBatch()
    for status in (-1, 1000, 10**15):
        batch.count(GET_POD, WEB, status, NINE, None)
    assert [(key.status, tally.count) for key, tally in batch.tallies()] == [(0, 3)]


def test_a_namespace_that_cannot_be_is_other():
    """Names longer than Kubernetes allows are counted together."""
    batch = TallyBatch()
    for length in (64, 65_536):
        batch.count(CATALOGUE.match("GET", f"/api/v1/namespaces/{'n' * length}/pods"), WEB, 404, NINE, None)
    assert [(key.namespace, tally.count) for key, tally in batch.tallies()] == [(OTHER, 2)]


def count_names(names):
    batch = TallyBatch()
    for name in names:
        batch.count(CATALOGUE.match("GET", f"/api/v1/namespaces/shop/pods/{name}"), WEB, 200, NINE, None)
    return next(batch.tallies())[1].names


def test_names_are_kept_while_they_are_few():
    """Up to the cap every name has its own count; of more only that there were more is kept, however they come."""
    few = [f"web-{number}" for number in range(NAMES_PER_TALLY)]
    assert count_names([*few, "web-0"]) == dict.fromkeys(few, 1) | {"web-0": 2}
    assert count_names([*few, "one-more", "web-0"]) == {OTHER: NAMES_PER_TALLY + 2}
    assert count_names(["web-0", "x" * 254, "web-0"]) == {OTHER: 3}


@given(st.lists(st.lists(st.integers(0, 100), max_size=80), min_size=2, max_size=3))
def test_the_cap_of_names_does_not_depend_on_order(parts):
    """Whether names are few or many is the same however they are counted and merged."""
    batches = []
    for numbers in parts:
        batch = TallyBatch()
        for number in numbers:
            batch.count(CATALOGUE.match("GET", f"/api/v1/namespaces/shop/pods/web-{number}"), WEB, 200, NINE, None)
        batches.append(batch)
    assert contents(merged(*batches)) == contents(merged(*reversed(batches)))
    names = {number for numbers in parts for number in numbers}
    kept = [tally.names for _, tally in merged(*batches).tallies()]
    assert [OTHER in found for found in kept] == [len(names) > NAMES_PER_TALLY] * bool(names)


def test_a_full_batch_counts_on_coarsely():
    """Random paths, agents and namespaces cannot make a batch grow; every call is still counted, operations by name."""
    batch = TallyBatch(full=10)
    for number in range(1000):
        caller = Caller(client=f"agent-{number}")
        batch.count(CATALOGUE.match("GET", f"/api/v1/namespaces/n{number}/pods"), caller, 200, NINE, None)
        batch.count(CATALOGUE.match("GET", f"/random/{number}/path-{number}"), caller, 404, NINE, None)
    assert batch.calls == 2000
    assert batch.size <= 10 + 2
    coarse = {key.target.template for key, _ in batch.tallies() if key.caller == OTHER_CALLER}
    assert coarse == {"/api/v1/namespaces/{namespace}/pods", OTHER}


def test_losses_add_up():
    """The same loss is counted with its first and last time, and its smallest example."""
    batch = TallyBatch()
    batch.lose(Loss("proxy", "full"), at=NINE, example="b")
    batch.lose(Loss("proxy", "full"), 2, at=NINE + 9, example="a")
    lost = batch.losses[Loss("proxy", "full")]
    assert (lost.count, lost.first, lost.last, lost.example) == (3, NINE, NINE + 9, "a")
    assert batch
    assert not TallyBatch()
