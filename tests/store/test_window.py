"""Windows of whole hours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.store.window import HOUR, Window


def test_a_window_without_ends_holds_everything():
    """No option, no limit."""
    assert Window.of().is_open
    low, high = Window().bounds
    assert low < 0 < 1 << 35 < high


@pytest.mark.parametrize(
    ("since", "until", "window"),
    [
        (0.0, 0.0, Window(0, 0)),
        (HOUR, 2 * HOUR, Window(1, 2)),
        (HOUR + 1, 2 * HOUR + 1, Window(1, 3)),
        (2 * HOUR - 0.001, None, Window(1, None)),
    ],
)
def test_parts_of_hours_count_whole(since, until, window):
    """Tallies are kept by the hour, so the window is widened to whole ones."""
    assert Window.of(since, until) == window


@given(st.floats(0, 1e10), st.floats(0, 1e10))
def test_every_moment_asked_for_is_in_the_window(since, length):
    """The window never leaves out what the user named."""
    window = Window.of(since, since + length)
    low, high = window.bounds
    assert not window.is_open
    assert low * HOUR <= since
    assert since + length <= high * HOUR
