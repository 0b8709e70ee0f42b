"""The foot of the page: by which verbs the API was called, and where every figure comes from. Without JavaScript."""

from xml.etree.ElementTree import Element

from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.report import CoverageReport
from apisnoop.coverage.share import Count
from apisnoop.reports.html.markup import element
from apisnoop.reports.html.shares_table import shares_table
from apisnoop.reports.origin import origin
from apisnoop.reports.wording import counted, number

LINES = 8
"""Lines of a heading that are shown at once; a store can hold hundreds of imported files."""


def verbs(report: CoverageReport) -> list[Element]:
    """Give coverage by verb, and by the ways of calling that no catalogue tells apart."""
    made = [shares_table("Verb", report.verbs, report.count)]
    if report.details:
        hit = ((detail.name, detail.ok if report.count is Count.OK else detail.any) for detail in report.details)
        said = ", ".join(f"{name} {number(operations)}" for name, operations in hit)
        made.append(element("p", f"Operations hit by way of: {said}.", class_="small"))
    if report.not_api.total:
        besides = f"Besides: {counted(report.not_api.total, 'call')} to health, metrics and OpenAPI documents."
        made.append(element("p", besides, class_="small"))
    return made


def origin_list(provenance: Provenance) -> Element:
    """Say where the figures come from, in the words of every other format."""
    rows = []
    for heading, lines in origin(provenance, most=None):
        rows += [element("dt", heading.capitalize()), element("dd", *_lines(lines))]
    return element("dl", *rows)


def _lines(lines: list[str]) -> list[Element]:
    shown = [element("p", element("bdi", line)) for line in lines[:LINES]]
    if rest := lines[LINES:]:
        more = (element("p", element("bdi", line)) for line in rest)
        shown.append(element("details", element("summary", f"{number(len(rest))} more"), *more))
    return shown
