"""Reports as Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from apisnoop.coverage.gate import judge
from apisnoop.coverage.report import GATED
from apisnoop.reports.markdown import code, render_coverage, table
from tests.reports.golden import compare


def test_coverage_looks_as_it_did(request, report):
    """The whole text is as it was when somebody last looked at it."""
    compare(request, "coverage.md", render_coverage(report, judge(report, 80, GATED)))


def test_an_empty_store_says_so(request, empty_report):
    """No table of zeros: one sentence that there is no data, the failed gate and the origin."""
    text = render_coverage(empty_report, judge(empty_report, 80))
    assert "| Level |" not in text
    assert "❌ failed" in text
    compare(request, "coverage-empty.md", text)


def test_hostile_names_render_as_text(hostile_report):
    """Nothing that a caller chose becomes a tag, an image or a link in the page made from it."""
    page = MarkdownIt("commonmark").enable("table").render(render_coverage(hostile_report))
    assert "<img" not in page
    assert "<script" not in page.lower()
    assert "</script" not in page.lower()


@given(st.text(min_size=1))
def test_any_text_stays_inside_its_code_span(text):
    """Whatever the text, the table has one cell for it, and that cell holds nothing but code."""
    page = MarkdownIt("commonmark").enable("table").render(table(("a", "b"), [(code(text), "end")]))
    cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
    assert len(cells) == 2
    assert re.fullmatch(r"<code>[^<]*</code>|[^<]*", cells[0])
    assert cells[1] == "end"


@pytest.mark.parametrize(("rows", "left"), [(100, None), (101, "1 more rows"), (1500, "1,400 more rows")])
def test_a_long_table_says_what_it_leaves_out(rows, left):
    """Job summaries are limited in size, so a table is; it says how much is missing."""
    text = table(("name",), [(str(row),) for row in range(rows)])
    assert text.count("\n| ") == min(rows, 100) + 1
    assert ("left out" in text) == (left is not None)
    assert left is None or left in text
