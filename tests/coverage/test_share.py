"""Shares and what is added up from them."""

from hypothesis import given
from hypothesis import strategies as st

from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.share import Count, Share, share_of

CALLS = st.builds(
    CallsSeen, st.integers(0, 99), st.integers(0, 99), st.none() | st.floats(1, 9), st.none() | st.floats(1, 9)
)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_hits_never_exceed_what_they_are_hits_of(operations):
    """However operations were answered: ok is at most any, and any at most the total."""
    share = sum((share_of(ok, errors) for ok, errors in operations), Share())
    assert share.ok <= share.any <= share.total == len(operations)
    assert share.hit(Count.OK) == share.ok
    assert share.hit(Count.ANY) == share.any


def test_nothing_out_of_nothing_is_no_percentage():
    """A group without operations is neither covered nor uncovered."""
    assert Share().percent(Count.OK) is None
    assert Share(4, 1, 2).percent(Count.OK) == 25.0
    assert Share(4, 1, 2).percent(Count.ANY) == 50.0


@given(CALLS, CALLS, CALLS)
def test_adding_calls_knows_no_order(one, two, three):
    """Rows may come in any order and be added in any grouping."""
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + NONE_SEEN == one


def test_unknown_times_do_not_win():
    """A source without times does not hide when others saw calls."""
    assert CallsSeen(1, 0) + CallsSeen(1, 0, 5.0, 6.0) == CallsSeen(2, 0, 5.0, 6.0)
