"""Where a report's figures come from."""

import pytest

from apisnoop.calls.tally import Loss
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.sources import WITHOUT_END
from apisnoop.store.queries import RunRow
from apisnoop.store.retention import roll_up
from apisnoop.store.window import HOUR, Window
from tests.coverage.recording import NINE, recorded


def run_row(**changes):
    fields = {"id": "1", "command": "kubectl", "host": "here", "started": NINE, "ended": NINE + 9, "exit_code": 0}
    return RunRow(**{**fields, "calls": 3, "version": "0.1.0", **changes})


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, ""), ({"exit_code": 2}, "exit code 2"), ({"ended": None, "exit_code": None}, WITHOUT_END)],
)
def test_a_run_says_whether_it_is_whole(catalogue, changes, state):
    """A command that failed, or was never seen to end, is told: its calls may not be all."""
    with recorded(catalogue=catalogue) as store:
        store.save_run(run_row(**changes))
        (source,) = coverage_of(store, catalogue).provenance.sources
    assert (source.kind, source.name, source.calls, source.state) == ("run", "kubectl", 3, state)


def test_losses_are_told_with_their_examples_the_most_frequent_first(catalogue):
    """Every kind of loss in the store is in the report."""
    losses = [Loss("audit log", "bad line"), Loss("proxy", "passed through", "client certificate")]
    with recorded(catalogue=catalogue, losses=losses) as store:
        lost = coverage_of(store, catalogue).provenance.lost
    assert {(found.source, found.reason, found.detail, found.count) for found in lost} == {
        ("audit log", "bad line", "", 3),
        ("proxy", "passed through", "client certificate", 3),
    }


def test_a_window_is_said_to_be_widened_to_hours(catalogue):
    """A reader who asked for minutes learns that whole hours were counted."""
    with recorded(catalogue=catalogue) as store:
        assert coverage_of(store, catalogue).provenance.notes == ()
        (note,) = coverage_of(store, catalogue, window=Window.of(NINE + 60, None)).provenance.notes
    assert "whole hours" in note


@pytest.mark.parametrize(("hours", "notes"), [(0, 0), (1, 1)])
def test_a_young_store_has_forgotten_no_pod(catalogue, hours, notes):
    """What lies before its first call needs no note."""
    with recorded(catalogue=catalogue) as store:
        roll_up(store, int(NINE // HOUR) + hours)
        assert len(coverage_of(store, catalogue).provenance.notes) == notes


def test_what_was_seen_is_told_beside_what_was_asked_for(catalogue):
    """First and last call of the window, and how many; times that no source knew do not count as 1970."""
    with recorded(catalogue=catalogue) as store:
        seen = coverage_of(store, catalogue).provenance
    assert (seen.since, seen.until) == (None, None)
    assert seen.first_seen == NINE + 60
    assert int(seen.last_seen) == NINE + 3707
