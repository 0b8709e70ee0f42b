"""The data of the page."""

from dataclasses import replace

import pytest

from apisnoop.reports.html.payload import payload_of
from tests.reports.conftest import HOSTILE


def rows(table):
    """Give the rows of a table as dictionaries."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_every_operation_of_the_catalogue_is_there(report):
    """Also those never called; those in the total are marked and add up to it."""
    operations = rows(payload_of(report)["operations"])
    assert len(operations) == 1_123
    assert sum(operation["counted"] for operation in operations) == payload_of(report)["total"] == 908


def test_calls_are_those_of_the_report(report):
    """What callers did adds up to what happened to operations."""
    data = payload_of(report)
    called = [0] * len(data["operations"]["rows"])
    for caller in rows(data["callers"]):
        uses = caller["uses"]
        for at, ok, errors in zip(uses[::3], uses[1::3], uses[2::3], strict=True):
            called[at] += ok + errors
    assert called == [operation["ok"] + operation["errors"] for operation in rows(data["operations"])]
    assert sum(called) > 900


def test_findings_name_their_callers_by_place(report):
    """The place leads to the caller's label, and the first callers are those of the table of callers."""
    data = payload_of(report)
    assert [data["who"][at] for at in range(len(data["callers"]["rows"]))] == [
        caller["label"] for caller in rows(data["callers"])
    ]
    removed = next(finding for finding in rows(data["findings"]) if finding["class"] == "removed")
    assert data["who"][removed["callers"][0]] == "alice (kubectl/v1.36.0)"


def test_findings_have_callers_also_where_callers_were_not_asked_for(report):
    """Who caused a finding is known even when what everybody called is not."""
    data = payload_of(replace(report, callers=None))
    assert data["callersKnown"] is False
    assert data["callers"]["rows"] == []
    assert data["who"]
    assert all(max(finding["callers"][::3]) < len(data["who"]) for finding in rows(data["findings"]))


def test_operations_outside_conformance_leave_the_total_when_asked(report):
    """What `--eligible` leaves out is not counted, and says why."""
    eligible = replace(report, eligible=True)
    left_out = [one for one in rows(payload_of(eligible)["operations"]) if one["ineligible"]]
    assert left_out
    assert not any(operation["counted"] for operation in left_out)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u2028"])
def test_control_characters_do_not_reach_the_page(hostile_report, character):
    """A name that moves a cursor or breaks lines is shown with U+FFFD in its place."""
    assert character in HOSTILE
    assert character not in str(payload_of(hostile_report))
    assert "\ufffd" in str(payload_of(hostile_report))


def test_an_unknown_time_is_null(report):
    """An operation that was never called was not seen in 1970."""
    unseen = next(one for one in rows(payload_of(report)["operations"]) if not one["ok"] + one["errors"])
    assert unseen["first"] is unseen["last"] is None
