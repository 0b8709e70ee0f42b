"""The page put together: template, styles, programs, data. Files are read from the package; nothing is fetched."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.report import CoverageReport
from apisnoop.reports.html.embedding import content_policy, json_for_script
from apisnoop.reports.html.markup import element, html_of
from apisnoop.reports.html.origin import origin_list, verbs
from apisnoop.reports.html.payload import payload_of
from apisnoop.reports.html.summary import masthead, summary, title_of

STYLES = ("colours.css", "page.css", "tables.css", "explore.css", "print.css")
SCRIPTS = (
    "words.js",
    "elements.js",
    "model.js",
    "tree.js",
    "table.js",
    "paging.js",
    "details.js",
    "chart.js",
    "explore.js",
    "tables.js",
    "main.js",
)
"""In this order: each uses only what stands before it. Together they are one module, invisible to the page."""
LIBRARY = "vendor/echarts-sunburst.min.js"


def render_coverage_html(report: CoverageReport, verdicts: Sequence[Verdict] = ()) -> str:
    """Render a coverage report as one HTML page that loads nothing.

    Give it a report with `callers`; without them the page cannot say who called what, and says so.
    """
    empty = report.provenance.is_empty
    style = _joined(STYLES)
    library, program = ("", "") if empty else (_asset(LIBRARY), _joined(SCRIPTS))
    return Template(_asset("assets/page.html")).substitute(
        policy=content_policy([library, program], [style]),
        title=html_of(element("title", f"API coverage of {title_of(report)}")),
        style=style,
        masthead=html_of(masthead(report)),
        summary=html_of(*summary(report, verdicts)),
        body="" if empty else Template(_asset("assets/body.html")).substitute(verbs=html_of(*verbs(report))),
        origin=html_of(origin_list(report.provenance)),
        data=json_for_script(None if empty else payload_of(report)),
        library=library,
        program=program,
    )


def _joined(names: Sequence[str]) -> str:
    return "\n".join(_asset(f"assets/{name}") for name in names)


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(*name.split("/")).read_text(encoding="utf-8")
