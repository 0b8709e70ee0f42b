"""Coverage on a terminal."""

import re
from dataclasses import replace

import pytest

from apisnoop.coverage.calls_seen import NONE_SEEN, CallsSeen
from apisnoop.coverage.who import Dimension
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


def test_what_is_no_terminal_has_no_width(report):
    """Without a width nothing is cut, on any line."""
    assert "…  " not in render_coverage(report)


@pytest.mark.parametrize("width", [1, 20])
def test_any_width_is_survived(report, width):
    """Whatever a terminal says of itself, there is a report."""
    assert "8 of 908" in render_coverage(report, width=width)


def many(report, count):
    """Give the report with so many operations called, each once more than the one before."""
    uses = [
        replace(use, calls=CallsSeen(at + 1) if at < count else NONE_SEEN, actions=())
        for at, use in enumerate(report.operations)
    ]
    return replace(report, operations=tuple(uses))


def called_in(text):
    (block,) = [block for block in text.split("\n\n") if block.startswith("OPERATION CALLED")]
    return block.splitlines()[1:]


def test_a_short_run_names_what_it_called(report):
    """Up to thirty operations are all named with their counts, and how each was called."""
    lines = called_in(render_coverage(report))
    assert any(re.fullmatch(r"listCoreV1NamespacedPod +13 list, 3 watch +16 +0", line) for line in lines)
    assert len(called_in(render_coverage(many(report, 30)))) == 30


def test_of_a_long_recording_only_the_operations_called_most_are_named(report):
    """The rest is counted, and wide output has them all."""
    *lines, more = called_in(render_coverage(many(report, 31)))
    assert [int(line.split()[-2]) for line in lines] == list(range(31, 23, -1))
    assert more == "… 23 more called (-o wide)"
    assert len(called_in(render_coverage(many(report, 31), wide=True))) == 31


def next_of(report, **options):
    text = render_coverage(report, **options)
    return [line[6:] for line in text[text.index("\nnext: ") + 1 :].splitlines()]


def stored_in(report, store):
    return replace(report, provenance=replace(report.provenance, store=store))


def test_proposed_commands_name_the_store(report, empty_report):
    """They can be pasted as they are: a store that is not the default one is named, quoted where need be."""
    assert next_of(stored_in(report, "my shop.db"))[0] == "apisnoop gaps --db 'my shop.db'"
    assert next_of(report, db="run.db")[0] == "apisnoop gaps --db run.db"
    assert next_of(report)[0] == "apisnoop gaps"
    assert next_of(stored_in(empty_report, "x.db")) == [
        "apisnoop import --db x.db AUDIT_LOG",
        "apisnoop run --db x.db -- CMD",
    ]


def test_only_what_has_data_is_proposed(report):
    """No breakdown by what no caller is known by, and no roles where there are no service accounts."""
    plain = replace(report, by=None)
    assert next_of(plain)[0] == "apisnoop coverage --by workload    (or serviceaccount, client, namespace, test)"
    by_client = replace(plain, dimensions=(Dimension.CLIENT,))
    assert next_of(by_client) == [
        "apisnoop coverage --by client",
        "apisnoop gaps",
        "apisnoop coverage -o html --output-file coverage.html",
    ]
    assert next_of(replace(plain, dimensions=()))[0] == "apisnoop gaps"


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
    first = next(at for at, line in enumerate(lines) if line.startswith("next: "))
    assert all(line.startswith("      apisnoop ") for line in lines[first + 1 :])


@pytest.mark.parametrize("width", [80, 120])
def test_gaps_look_as_they_did(request, gaps, width):
    """The ranking with the operation, who uses it and what tests it."""
    compare(request, f"gaps-{width}.txt", render_gaps(gaps, width=width))


@pytest.mark.parametrize("width", [80, 120])
def test_a_comparison_looks_as_it_did(request, difference, width):
    """What is no longer served first, then deprecated, new and gone, and where both sides come from."""
    compare(request, f"diff-{width}.txt", render_diff(difference, width=width))
