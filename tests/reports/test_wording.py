"""Words that all formats share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.reports.wording import clean, counted, iso, moment, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0, "0.0 %"),
        (0.04, "<0.1 %"),
        (79.99, "79.9 %"),
        (80.0, "80.0 %"),
        (99.999, "99.9 %"),
        (100, "100.0 %"),
    ],
)
def test_percentages_are_rounded_down(value, text):
    """100 % means all, and a figure that fails a gate of 80 never reads as 80.0 %."""
    assert percent(value) == text


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_percentage_never_claims_more_than_there_is(hit, total):
    """The number shown is at most the true one."""
    value = 100 * min(hit, total) / total
    shown = percent(value)
    assert shown == "<0.1 %" or float(shown.removesuffix(" %")) <= value + 1e-9


def test_one_is_singular():
    """1 call, 2 calls, thousands with separators."""
    assert [counted(value, "call") for value in (0, 1, 2, 12_345)] == ["0 calls", "1 call", "2 calls", "12,345 calls"]


def test_times_are_utc_and_zero_is_unknown():
    """A source without times does not claim the year 1970."""
    assert moment(1_780_304_400.0) == "2026-06-01 09:00:00 UTC"
    assert iso(1_780_304_400.9) == "2026-06-01T09:00:00Z"
    assert (moment(0.0), moment(None), iso(0.0), iso(None)) == ("unknown", "unknown", None, None)


@given(st.text())
def test_clean_text_moves_no_cursor_and_breaks_no_line(text):
    """Whatever a client called itself, cleaned text is one line of printable characters of the same length."""
    cleaned = clean(text)
    assert len(cleaned.splitlines()) <= 1
    assert not any(char in cleaned for char in "\x1b\x07\x08\x00\x7f\u202e\u200f\ufffe\uffff")
    assert len(cleaned) == len(text)
