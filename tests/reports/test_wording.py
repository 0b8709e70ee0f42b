"""Words that all formats share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.coverage.provenance import Source
from apisnoop.reports.origin import source_lines
from apisnoop.reports.wording import clean, counted, iso, moment, percent
from tests.coverage.recording import NINE


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


def test_several_runs_of_a_command_share_a_line():
    """Their calls are added up, and runs that did not end well are counted; what stands alone stays as it is."""
    runs = [
        Source("run", "kubectl", 3, NINE, NINE + 1),
        Source("run", "helm", 7, NINE + 5, NINE + 6),
        Source("run", "kubectl", 4, NINE + 60, NINE + 61, "exit code 1"),
        Source("run", "kubectl", 1000, NINE + 30, NINE + 31, "exit code 1"),
    ]
    imports = [Source("import", "a.log", 1, NINE, NINE), Source("import", "a.log", 2, NINE, NINE)]
    assert source_lines([*imports, *runs]) == [
        "import a.log (1 call, read 2026-06-01 09:00:00 UTC)",
        "import a.log (2 calls, read 2026-06-01 09:00:00 UTC)",
        (
            "3 runs of kubectl (1,007 calls, started from 2026-06-01 09:00:00 UTC to 2026-06-01 09:01:00 UTC,"
            " 2 of them: exit code 1)"
        ),
        "run helm (7 calls, started 2026-06-01 09:00:05 UTC)",
    ]


@given(st.text())
def test_clean_text_moves_no_cursor_and_breaks_no_line(text):
    """Whatever a client called itself, cleaned text is one line of printable characters of the same length."""
    cleaned = clean(text)
    assert len(cleaned.splitlines()) <= 1
    assert not any(char in cleaned for char in "\x1b\x07\x08\x00\x7f\u202e\u200f\ufffe\uffff")
    assert len(cleaned) == len(text)
