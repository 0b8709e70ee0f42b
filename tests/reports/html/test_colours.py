"""Contrast of the page's colours, in the light and in the dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from importlib.resources import files

import pytest

CSS = (files("apisnoop.reports.html") / "assets" / "colours.css").read_text()
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in CSS.split("@media"))
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-quiet", "accent", "urgent") for ground in ("card", "ground", "hover")),
    ("ink", "accent-ground"),
    ("warn", "warn-ground"),
    ("urgent", "urgent-ground"),
    ("good", "card"),
    *(("step-ink-low", f"step-{step}") for step in (0, 1, 2)),
    *(("step-ink-high", f"step-{step}") for step in (3, 4, 5)),
]
MARKS = [
    ("accent", "step-0"),
    ("accent", "card"),
    ("line-strong", "card"),
    ("errors-line", "card"),
    ("errors-line", "step-0"),
    ("errors-line", "errors"),
    ("step-5", "step-0"),
]


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(scheme):
    """Every text has a contrast of at least 4.5 to 1 on each ground it stands on."""
    low = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in TEXT}
    assert {pair: round(value, 2) for pair, value in low.items() if value < 4.5} == {}


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_can_be_told_from_their_ground(scheme):
    """Bars, marks and borders of controls have a contrast of at least 3 to 1."""
    low = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in MARKS}
    assert {pair: round(value, 2) for pair, value in low.items() if value < 3} == {}


def test_the_dark_scheme_leaves_no_colour_out():
    """A colour known only to the light scheme would shine in the dark."""
    assert LIGHT.keys() == DARK.keys()
