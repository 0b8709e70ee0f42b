"""Which of its pods' calls the demo compares."""

from __future__ import annotations

import pytest

from apisnoop.calls.recording import Gap
from e2e.demo_pods import Round, complaints_in, rounds_in, whole_rounds

LOG = """\
2026-11-21T16:00:00.5Z begin
2026-11-21T16:00:02.123456789Z begin
2026-11-21T16:00:03Z error: the server is gone
2026-11-21T16:00:03.1Z 
"""  # noqa: W291 - as kubectl writes an empty line


def test_rounds_and_complaints_are_told_apart():
    """Whatever is not the line of a round, a program has said."""
    first, second = rounds_in(LOG)
    assert round(second - first, 6) == 1.623456
    assert complaints_in(LOG) == ["error: the server is gone", ""]


def test_only_whole_rounds_within_the_time_count():
    """One that began before, or had not ended by then, may have connections that are none of the promise."""
    found = whole_rounds([1.0, 2.0, 3.0, 4.0, 5.0], since=1.5, until=4.5)
    assert found == [Round(2.0, 3.0), Round(3.0, 4.0)]
    assert [found[0].holds(at) for at in (1.9, 2.0, 2.9, 3.0)] == [False, True, True, False]


def test_without_a_whole_round_nothing_counts():
    """Neither the round under way, nor a time without any."""
    assert whole_rounds([1.0, 2.0], since=1.5, until=4.5) == []
    assert whole_rounds([], since=1.5, until=4.5) == []


@pytest.mark.parametrize(
    ("start", "end", "touched"),
    [
        (5.0, 6.0, False),
        (8.0, 9.5, True),
        (14.0, 15.0, True),
        (30.0, 31.0, False),
        (5.0, None, True),
        (30.0, None, False),
    ],
)
def test_a_gap_touches_the_rounds_whose_connections_it_may_have_swallowed(start, end, touched):
    """It ends a moment before the first connection is recorded again, or never."""
    gap = Gap("node1", "shop", "web-0", "uid", start, end, "the proxy is overloaded")
    assert Round(10.0, 20.0).is_touched_by(gap) is touched
