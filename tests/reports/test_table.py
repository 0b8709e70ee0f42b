"""Coverage on a terminal."""

import re

import pytest

from apisnoop.reports.columns import width_of
from apisnoop.reports.table import render_coverage
from apisnoop.reports.table.diff import render_diff
from apisnoop.reports.table.gaps import render_gaps
from tests.reports.golden import compare

ESCAPES = re.compile(r"\x1b\[\d+m")


@pytest.mark.parametrize("width", [80, 120])
def test_coverage_looks_as_it_did(request, report, width):
    """The whole text is as it was when somebody last looked at it."""
    compare(request, f"coverage-{width}.txt", render_coverage(report, width=width))


def test_an_empty_store_says_so(request, empty_report):
    """No data is not shown as nothing having happened: no figure appears, and the first line says why."""
    text = render_coverage(empty_report, width=100)
    assert "This says nothing about what was called" in text.splitlines()[0]
    assert "0 of" not in text
    assert "OK" not in text
    compare(request, "coverage-empty.txt", text)


@pytest.mark.parametrize("width", [70, 80, 100, 200])
def test_lines_keep_to_the_width(report, width):
    """No table or finding is wider than the terminal; only names of sources and losses may be."""
    body = render_coverage(report, width=width).split("\ncatalogue  ")[0]
    assert max(width_of(line) for line in body.splitlines()) <= width


def test_colour_changes_nothing_but_colour(report):
    """Without its escape sequences the coloured text is the plain one, so nothing is told by colour alone."""
    coloured = render_coverage(report, width=100, color=True)
    assert ESCAPES.search(coloured)
    assert ESCAPES.sub("", coloured) == render_coverage(report, width=100)


def test_hostile_names_cannot_command_the_terminal(hostile_report):
    """Control characters that a client put into its name never reach the terminal."""
    text = render_coverage(hostile_report, wide=True)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "\u2028" not in text
    assert "onerror" in text


def test_wide_leaves_no_row_out(report):
    """With wide output every group/version is there, also those nobody called."""
    text = render_coverage(report, wide=True)
    assert "(-o wide)" not in text
    for group in report.groups:
        assert group.name in text


def test_the_summary_comes_first_and_the_next_step_last(report):
    """A person reads the one figure first and is told at the end what to do."""
    lines = render_coverage(report, width=100).splitlines()
    assert lines[0].startswith("Kubernetes 1.36: 8 of 908 operations hit")
    assert lines[-1].startswith("next: ")


@pytest.mark.parametrize("width", [80, 120])
def test_gaps_look_as_they_did(request, gaps, width):
    """The ranking with the operation, who uses it and what tests it."""
    compare(request, f"gaps-{width}.txt", render_gaps(gaps, width=width))


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_looks_as_it_did(request, difference, width):
    """What is no longer served first, then deprecated, new and gone, and where both sides come from."""
    compare(request, f"diff-{width}.txt", render_diff(difference, width=width))
