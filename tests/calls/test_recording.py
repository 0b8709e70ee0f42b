"""When a pod's calls were recorded, and when not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.recording import POD_ENDED, UNSAID, WANTED_NO_MORE, Recording, gaps_of


def recording(since, until, ended="", uid="u1"):
    """Make a recording of a pod."""
    return Recording("n1", "shop", f"web-{uid}", uid, since, until, ended)


def spans(recordings):
    """Give the gaps as (start, end, reason)."""
    return [(gap.start, gap.end, gap.reason) for gap in gaps_of(recordings)]


@pytest.mark.parametrize("reason", [WANTED_NO_MORE, POD_ENDED])
def test_what_nobody_wanted_is_no_gap(reason):
    """Switched off and on again, nothing is missing between."""
    assert spans([recording(0, 10, reason), recording(20, 30)]) == []


def test_a_failure_is_a_gap_until_recording_resumes():
    """The reason of the end is the gap's."""
    assert spans([recording(0, 10, "agent lost"), recording(12, 30)]) == [(10, 12, "agent lost")]


def test_a_failure_that_nobody_repaired_goes_on():
    """Without a later recording the gap has no end."""
    assert spans([recording(0, 10, "overload")]) == [(10, None, "overload")]


def test_a_recorder_killed_leaves_a_gap_of_its_own():
    """A recording that had no end, and yet another began, was cut."""
    assert spans([recording(0, 10), recording(15, 20)]) == [(10, 15, UNSAID)]


def test_a_recording_that_goes_on_has_no_gap():
    """The last word is that it is recorded."""
    assert spans([recording(0, 10)]) == []


def test_takeover_without_a_break_is_no_gap():
    """A recording that begins before the last has ended leaves nothing out."""
    assert spans([recording(0, 10, "proxy replaced"), recording(9.5, 20)]) == []


@pytest.mark.parametrize(
    ("recordings", "expected"),
    [
        # a short recording of another proxy inside a long one hides no gap after it, and makes none
        ([recording(0, 100, "agent lost"), recording(10, 20, "off"), recording(150, 200)], [(100, 150, "agent lost")]),
        ([recording(0, 100, "off"), recording(10, 20, "agent lost")], []),
        # the old proxy was stopped after the new one had begun, and the new one was heard of a little earlier
        ([recording(0, 105, "the proxy was stopped"), recording(99, 103)], []),
        ([recording(0, 105, "the proxy was stopped"), recording(99, 103, POD_ENDED)], []),
        ([recording(0, 50), recording(99, 120, "off")], [(50, 99, UNSAID)]),
    ],
)
def test_two_proxies_of_a_node_may_record_at_a_time(recordings, expected):
    """What counts is whether anybody recorded."""
    assert spans(recordings) == expected


def test_pods_are_told_apart_by_their_uid():
    """Two pods of one name are two pods."""
    of_two = [recording(0, 10, uid="u1"), recording(15, 20, uid="u2")]
    assert spans(of_two) == []


@given(st.permutations([recording(0, 1, "a"), recording(2, 3, "b"), recording(5, 6), recording(4, 9, "c", "u2")]))
def test_order_does_not_matter(shuffled):
    """Recordings may come from any node in any order."""
    assert spans(shuffled) == [(1, 2, "a"), (3, 5, "b"), (9, None, "c")]
