"""When there is colour, and what a bar looks like."""

import pytest

from apisnoop.reports.paint import Paint, bar, wants_colour


@pytest.mark.parametrize(
    ("environment", "is_terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_follows_the_terminal_unless_told_otherwise(environment, is_terminal, wanted):
    """Colour is for terminals; NO_COLOR beats FORCE_COLOR, which beats that."""
    assert wants_colour(environment, is_terminal=is_terminal) is wanted


def test_paint_that_is_off_leaves_text_alone():
    """Plain output has no escape sequence in it."""
    assert Paint(False)("text", "red") == "text"
    assert Paint(True)("text", "red") == "\x1b[31mtext\x1b[0m"
    assert Paint(True)("text", "") == "text"


@pytest.mark.parametrize(
    ("percent", "drawn"),
    [(None, ""), (0, ""), (0.01, "▏"), (50, "█████"), (55, "█████▌"), (99.9, "█████████▉"), (100, "██████████")],
)
def test_a_bar_shows_anything_above_zero_and_is_full_only_at_the_end(percent, drawn):
    """One hit of a thousand operations is seen; 99.9 % is not taken for all."""
    assert bar(percent, 10) == drawn.ljust(10)
