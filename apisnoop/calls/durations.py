"""Durations as a histogram of powers of two, in microseconds: small, and the sum of two is again one.

A quantile read from it is right to a factor of two, which is what "fast, slow or hanging" needs. No value is kept.
"""

from collections.abc import Iterable, Sequence

from apisnoop.decoding import decoder_of

BUCKETS = 42
"""Bucket 0 holds 0 µs, bucket n holds [2^(n-1), 2^n) µs; the last one (25 days and more) takes the rest."""

type Durations = list[int]
"""Count of calls by bucket, always BUCKETS long."""


_decoder = decoder_of(dict[int, int])


def encode_durations(durations: Sequence[int]) -> str:
    """Write a histogram as JSON, e.g. {"12":3}: bucket to count, empty buckets left out, smallest first."""
    return _encode((bucket, count) for bucket, count in enumerate(durations) if count)


def _encode(counts: Iterable[tuple[int, int]]) -> str:
    return f"{{{','.join([f'"{bucket}":{count}' for bucket, count in counts])}}}"


def decode_durations(text: str) -> Durations:
    """Read what `encode_durations` wrote."""
    durations = [0] * BUCKETS
    for bucket, count in _decoder.decode(text).items():
        durations[bucket] += count
    return durations


def merge_durations(left: str, right: str) -> str:
    """Add two written histograms; the SQL function of the same name in the store."""
    counts = _decoder.decode(left)
    for bucket, count in _decoder.decode(right).items():
        counts[bucket] = counts.get(bucket, 0) + count
    return _encode(sorted(counts.items()))


class DurationsSum:
    """Adds up many written histograms; the SQL aggregate `sum_durations` in the store."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def step(self, text: str) -> None:
        """Add one."""
        counts = self._counts
        for bucket, count in _decoder.decode(text).items():
            counts[bucket] = counts.get(bucket, 0) + count

    def finalize(self) -> str:
        """Give the sum."""
        return _encode(sorted(self._counts.items()))


def quantile(durations: Sequence[int], share: float) -> float | None:
    """Give an upper bound, in seconds, that `share` (0 to 1) of the calls did not exceed; None without calls."""
    wanted = share * sum(durations)
    seen = 0
    for bucket, count in enumerate(durations):
        seen += count
        if count and seen >= wanted:
            return ((1 << bucket) - 1 if bucket else 0) / 1_000_000
    return None
