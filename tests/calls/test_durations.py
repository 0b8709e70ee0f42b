"""Histograms of durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.caller import Caller
from apisnoop.calls.durations import (
    BUCKETS,
    decode_durations,
    encode_durations,
    merge_durations,
    quantile,
)
from apisnoop.calls.tally import TallyBatch
from apisnoop.operations.source import load_catalogue

MATCH = load_catalogue("1.36").match("GET", "/api/v1/pods")


def counted(*seconds):
    """Give the histogram of calls that took so long."""
    batch = TallyBatch()
    for duration in seconds:
        batch.count(MATCH, Caller(), 200, 0.0, duration)
    ((_, tally),) = batch.tallies()
    return tally.durations


histograms = st.lists(st.integers(0, 1 << 40), min_size=BUCKETS, max_size=BUCKETS)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-1.0, 0), (0.0, 0), (0.000_001, 1), (0.000_002, 2), (0.001, 10), (1.0, 20), (3600.0, 32), (1e12, BUCKETS - 1)],
)
def test_a_bucket_is_a_power_of_two_of_microseconds(seconds, bucket):
    """A negative duration counts as none, and one beyond the last bucket falls into it."""
    assert [at for at, count in enumerate(counted(seconds)) if count] == [bucket]


@given(histograms)
def test_a_histogram_survives_writing(histogram):
    """What was written is read back."""
    assert decode_durations(encode_durations(histogram)) == histogram


def test_empty_buckets_are_not_written():
    """The text stays short, and readable by SQLite's JSON functions."""
    assert encode_durations([0, 2, *[0] * (BUCKETS - 2)]) == '{"1":2}'


@given(histograms, histograms, histograms)
def test_merging_does_not_depend_on_order(a, b, c):
    """Merging histograms is associative and commutative, and adds bucket by bucket."""
    x, y, z = map(encode_durations, (a, b, c))
    assert merge_durations(merge_durations(x, y), z) == merge_durations(x, merge_durations(y, z))
    assert merge_durations(x, y) == merge_durations(y, x)
    assert decode_durations(merge_durations(x, y)) == [i + j for i, j in zip(a, b, strict=True)]


@given(st.lists(st.floats(0, 10_000), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_right_to_a_factor_of_two(values, share):
    """The bound read from the histogram is at least the true quantile, and less than twice as large."""
    histogram = counted(*values)
    ordered = sorted(values)
    wanted = share * len(values)
    true = next(value for rank, value in enumerate(ordered, start=1) if rank >= wanted)
    bound = quantile(histogram, share)
    assert bound is not None
    assert true - 1e-6 <= bound <= 2 * true


def test_no_calls_have_no_quantile():
    """Without calls there is nothing to say."""
    assert quantile([0] * BUCKETS, 0.5) is None
