"""Reports as CSV."""

import csv
from dataclasses import replace

from apisnoop.reports.csv_text import OPERATION_HEADER, render_coverage
from tests.reports.golden import compare


def rows_of(text):
    """Read CSV as people are told to: lines that begin with # are no data."""
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_there_is_a_row_for_each_operation_and_for_each_finding_that_is_none(report):
    """All 1,123 operations are rows, called or not; removed, invalid and unlisted paths follow."""
    rows = rows_of(render_coverage(replace(report, by=None)))
    assert tuple(rows[0]) == OPERATION_HEADER
    assert len([row for row in rows if row["operation"]]) == 1123
    assert [row["class"] for row in rows if not row["operation"]] == ["removed", "invalid", "unlisted"]
    (pods,) = [row for row in rows if row["operation"] == "readCoreV1NamespacedPod"]
    assert (pods["hit"], pods["calls_ok"], pods["first"]) == ("1", "2", "2026-06-01T10:01:40Z")


def test_a_breakdown_has_a_row_for_each_part(request, report):
    """With --by the rows are workloads; the text is as it was when somebody last looked at it."""
    text = render_coverage(report)
    assert [row["workload"] for row in rows_of(text)] == ["(unknown)", "shop/deployment/web"]
    compare(request, "coverage-by-workload.csv", text)


def test_the_origin_stands_above_the_rows(report):
    """Catalogue, window, sources and losses are lines that begin with #, as in every report."""
    head = [line for line in render_coverage(report).splitlines() if line.startswith("#")]
    for wanted in ("# catalogue: ", "# window: ", "# sources: import audit.log", "# not counted: audit log: bad line"):
        assert any(line.startswith(wanted) for line in head)


def test_an_empty_report_says_so_first(empty_report):
    """The first line tells a reader that zeros are no findings."""
    assert render_coverage(empty_report).startswith("# EMPTY: no calls are recorded\n")


def test_hostile_names_are_neither_formulas_nor_rows(hostile_report):
    """A name cannot begin a formula in a spreadsheet, nor end its own row or the comments above."""
    text = render_coverage(hostile_report)
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    assert len({len(row) for row in rows}) == 1
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    formula = replace(hostile_report.by, parts=(replace(hostile_report.by.parts[0], name="=1+1"),))
    assert rows_of(render_coverage(replace(hostile_report, by=formula)))[0]["workload"] == "'=1+1"
