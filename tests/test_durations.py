"""Durations as people write them."""

import pytest

from apisnoop.durations import parse_duration, seconds_in


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1w1d", 691_200), ("1m1m", 120)],
)
def test_parts_add_up(text, seconds):
    """Each has its own unit."""
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "-1h", "1h ", "1H", "1h30", "1y"])
def test_anything_else_is_no_duration(text):
    """It may be a time; that is for others to find out."""
    assert seconds_in(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800)]
)
def test_durations_are_read(text, seconds):
    """As Go and kubectl write them, with days and weeks."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "1.5h", "0s", "99999w", "5m "])
def test_what_is_no_duration_is_named(text):
    """Nonsense, nothing and eternity are refused."""
    with pytest.raises(ValueError, match=text or "''"):
        parse_duration(text)
