"""The page as text: what is complete without a browser's help."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from apisnoop.coverage.gate import judge
from apisnoop.coverage.report import FindingClass
from apisnoop.coverage.share import Count
from apisnoop.reports.html import render_coverage_html
from apisnoop.reports.html.page import SCRIPTS, STYLES
from apisnoop.reports.origin import origin
from apisnoop.reports.wording import headline
from tests.reports.conftest import HOSTILE

ADDRESSES = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction"}
RAW_MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "javascript:")


class Elements(HTMLParser):
    """Gathers elements with their attributes, and their text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.text = self.open = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.inline and dict(attrs).get("type") != "application/json":
            self.inline[tag].append("")

    def handle_endtag(self, tag):  # noqa: ARG002 - as the library names it
        self.open = ""

    def handle_data(self, data):
        tag, attributes = self.found[-1] if self.found else ("", {})
        if self.open in self.inline:
            if attributes.get("type") != "application/json":
                self.inline[tag][-1] += data
        else:
            self.text += data


def test_the_policy_allows_every_inline_part_and_nothing_else(cluster_report):
    """Each script and style is named by its hash, and no hash is without its part."""
    page = Elements(render_coverage_html(cluster_report))
    policy = next(a["content"] for t, a in page.found if a.get("http-equiv") == "Content-Security-Policy")
    for kind, texts in page.inline.items():
        hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
        allowed = re.search(rf"{kind}-src ([^;]+)", policy)[1]
        assert {f"'sha256-{digest}'" for digest in hashes} == set(allowed.split())
    assert [len(texts) for texts in page.inline.values()] == [2, 1]


def test_the_page_refers_to_nothing_outside(cluster_report, hostile_report, empty_report):
    """Every address in it is a place in the same page, and no style imports anything."""
    for report in (cluster_report, hostile_report, empty_report):
        page = Elements(render_coverage_html(report))
        addresses = [value for _, attributes in page.found for name, value in attributes.items() if name in ADDRESSES]
        assert addresses
        assert all(address.startswith("#") for address in addresses)
        assert not re.search(r"@import|url\((?!#)", page.inline["style"][0])


def test_every_place_in_the_page_that_is_linked_exists(cluster_report):
    """No link of the page leads nowhere."""
    page = Elements(render_coverage_html(cluster_report))
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for _, a in page.found if "href" in a} <= set(ids)


def test_own_programs_make_no_markup_from_text():
    """The scripts build elements and text nodes only."""
    for name in SCRIPTS:
        text = (files("apisnoop.reports.html") / "assets" / name).read_text()
        assert not [word for word in RAW_MARKUP if word in text], name


def test_every_asset_is_part_of_the_page():
    """No file lies beside the page that nobody puts in."""
    there = {file.name for file in (files("apisnoop.reports.html") / "assets").iterdir()}
    assert there == {*SCRIPTS, *STYLES, "page.html", "body.html"}


def test_summary_and_origin_stand_in_the_page_without_javascript(report):
    """Who cannot run scripts still reads the figures, and where they come from."""
    text = Elements(render_coverage_html(report)).text
    assert headline(report).partition(" (")[0] in text
    for _, lines in origin(report.provenance):
        for line in lines:
            assert line in text
    assert "need JavaScript" in text


def test_an_empty_store_is_said_to_be_empty(empty_report):
    """Nothing recorded is not 0 %: the page shows no share, chart or table, and says how to record."""
    made = render_coverage_html(empty_report)
    text = Elements(made).text
    assert "Nothing was recorded" in text
    assert "This says nothing about what was called." in text
    assert "apisnoop import" in text
    assert "%" not in text
    assert "echarts" not in made


def test_hostile_names_stay_text(hostile_report):
    """No element comes from a recording."""
    page = Elements(render_coverage_html(hostile_report))
    tags = [tag for tag, _ in page.found]
    assert "img" not in tags
    assert tags.count("script") == 3
    assert HOSTILE.replace("\u2028", "\ufffd").replace("\x1b", "\ufffd").replace("\x00", "\ufffd") in page.text


def test_the_gate_is_shown_with_what_failed(report):
    """A page from CI says at the top why CI failed."""
    text = Elements(render_coverage_html(report, judge(report, 80, [FindingClass.ALPHA]))).text
    assert "FAILED --fail-under 80" in text
    assert "passed --fail-on alpha" in text


@pytest.mark.parametrize(
    ("count", "figure", "other"),
    [(Count.OK, "0.8 %", "any call, however answered, it would be 9 (0.9 %)"),
     (Count.ANY, "0.9 %", "only calls answered without an error, it would be 8 (0.8 %)")],
)  # fmt: skip
def test_both_ways_of_counting_are_shown(report, count, figure, other):
    """The figure is the one asked for; the other one stands below it."""
    text = Elements(render_coverage_html(replace(report, count=count))).text
    assert figure in text
    assert f"Counting {other}" in text


def test_what_was_not_counted_is_said_at_the_top(report):
    """Losses and recordings that are not whole come before the findings, not only at the end."""
    text = Elements(render_coverage_html(report)).text
    said = text.index("Mind: 3 things were seen but not counted; 1 recording is incomplete")
    assert said < text.index("no longer served in this release")


def test_many_sources_are_folded(report):
    """Eight lines are shown, the rest opens on demand."""
    source = report.provenance.sources[0]
    sources = tuple(replace(source, name=f"{source.name} {number}") for number in range(20))
    page = render_coverage_html(replace(report, provenance=replace(report.provenance, sources=sources)))
    assert "<summary>12 more</summary>" in page


def test_pages_stay_small_enough_to_mail(empty_report, cluster_report, fleet_report):
    """An empty page is tiny, a common one below 800 kB, one with 500 callers below 1.5 MB."""
    budgets = ((empty_report, 60_000), (cluster_report, 800_000), (fleet_report, 1_500_000))
    for report, budget in budgets:
        assert len(render_coverage_html(report).encode()) < budget
