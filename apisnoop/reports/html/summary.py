"""The head of the page: what was covered, what is worth knowing, what is missing. Complete without JavaScript."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.report import CoverageReport, FindingClass, FindingUse, Group
from apisnoop.coverage.share import Count, Share
from apisnoop.reports.html.markup import bar, element
from apisnoop.reports.html.shares_table import shares_table
from apisnoop.reports.origin import empty_explained
from apisnoop.reports.recorded import cautions
from apisnoop.reports.wording import (
    MEANING,
    counted,
    headline,
    moment,
    number,
    percent,
    total_explained,
)

URGENT = frozenset({FindingClass.REMOVED, FindingClass.INVALID})


def masthead(report: CoverageReport) -> Element:
    """Say what the page is about, when it was recorded and how much."""
    seen = report.provenance
    if seen.is_empty:
        facts = ["No call recorded"]
    else:
        facts = [counted(seen.calls, "call"), f"{moment(seen.first_seen)} to {moment(seen.last_seen)}"]
        facts += [counted(len(report.callers), "caller")] if report.callers is not None else []
    return element(
        "div",
        element("p", "API coverage", class_="eyebrow"),
        element("h1", element("bdi", title_of(report))),
        element("p", *_between([element("span", fact) for fact in facts], " · "), class_="facts"),
        class_="masthead",
    )


def title_of(report: CoverageReport) -> str:
    """Name the API that the report is about."""
    used = report.provenance.catalogue
    return f"Kubernetes {used.release}" if used.release else used.source


def summary(report: CoverageReport, verdicts: Sequence[Verdict]) -> list[Element]:
    """Give the parts of the summary; for a report without any call only that there is none."""
    if report.provenance.is_empty:
        return [_nothing(report), *_gate(verdicts), *_missing(report)]
    return [
        element("div", _hero(report), _levels(report), class_="columns"),
        *_gate(verdicts),
        *_missing(report),
        _tiles(report),
    ]


def _nothing(report: CoverageReport) -> Element:
    return element(
        "div",
        element("p", "Nothing was recorded", class_="figure-words"),
        element("p", element("bdi", empty_explained(report.provenance))),
        element("p", "Record something first:"),
        element("ul", *(element("li", element("code", command)) for command in _ways_to_record())),
        class_="card nothing",
    )


def _ways_to_record() -> tuple[str, ...]:
    return "apisnoop run -- kubectl get pods", "apisnoop import /var/log/kubernetes/audit.log"


def _hero(report: CoverageReport) -> Element:
    share, count = report.current, report.count
    errors = share.any - share.hit(count)
    legend = [
        _key("hit", f"hit {number(share.hit(count))}"),
        *([_key("errors", f"only errors {number(errors)}")] if errors else []),
        _key("none", f"not called {number(share.total - share.any)}"),
    ]
    return element(
        "div",
        element("p", percent(share.percent(count)), class_="figure", id="figure"),
        element("p", headline(report).rpartition(" (")[0], class_="headline"),
        bar(share, count),
        element("p", *legend, class_="legend"),
        element("p", total_explained(report), " ", _other_count(share, count), class_="small"),
        class_="card hero",
    )


def _key(state: str, text: str) -> Element:
    return element("span", element("span", class_=f"mark mark-{state}", aria_hidden="true"), text, class_="key")


def _other_count(share: Share, count: Count) -> str:
    if count is Count.OK:
        other, hit = "any call, however answered", Count.ANY
    else:
        other, hit = "only calls answered without an error", Count.OK
    return f"Counting {other}, it would be {number(share.hit(hit))} ({percent(share.percent(hit))})."


def _levels(report: CoverageReport) -> Element:
    every, current = report.every, report.current
    deprecated = Share(every.total - current.total, every.ok - current.ok, every.any - current.any)
    return element(
        "div",
        element("h3", "By level"),
        shares_table("Level", report.levels, report.count, extra=Group("deprecated", deprecated, 0)),
        element("p", "Deprecated operations are not part of the total.", class_="small"),
        class_="card",
    )


def _gate(verdicts: Sequence[Verdict]) -> list[Element]:
    if not verdicts:
        return []
    return [element("div", element("h3", "Gate"), element("ul", *map(_verdict, verdicts)), class_="card gate")]


def _verdict(verdict: Verdict) -> Element:
    word, state = ("passed", "passed") if verdict.passed else ("FAILED", "failed")
    return element(
        "li", element("strong", word, class_=state), " ", element("code", verdict.rule), f" {verdict.message}"
    )


def _missing(report: CoverageReport) -> list[Element]:
    """Say at the top, not only at the end, that something was not counted or limits the figures."""
    seen = report.provenance
    lost = sum(lost.count for lost in seen.lost) - (seen.recordings.not_seen_count if seen.recordings else 0)
    partial = sum(bool(source.state) and source.kind != "node" for source in seen.sources)
    said = [f"{caution[0].lower()}{caution[1:]}".rstrip(".") for caution in cautions(seen)]
    said += [note.rstrip(".") for note in seen.notes]
    if partial:
        said.insert(0, f"{counted(partial, 'recording')} {'is' if partial == 1 else 'are'} incomplete")
    if lost:
        said.insert(0, f"{number(lost)} {'thing was' if lost == 1 else 'things were'} seen but not counted")
    if not said:
        return []
    more = element("a", "What is missing", href="#origin")
    return [
        element(
            "p", element("strong", "Mind: "), element("bdi", "; ".join(said)), ". ", more, class_="mind", role="note"
        )
    ]


def _tiles(report: CoverageReport) -> Element:
    tiles = (_tile(kind, [found for found in report.findings if found.kind is kind]) for kind in FindingClass)
    return element("ul", *tiles, class_="tiles", aria_label="Findings by class")


def _tile(kind: FindingClass, found: Sequence[FindingUse]) -> Element:
    calls = sum(finding.calls.total for finding in found)
    callers = len({caller.who for finding in found for caller in finding.callers})
    state = "none" if not found else "urgent" if kind in URGENT else "some"
    size = f"{counted(calls, 'call')} by {counted(callers, 'caller')}" if found else "no call"
    return element(
        "li",
        element(
            "a",
            element("span", number(len(found)), class_="tile-number"),
            element("span", kind.value, class_="tile-name"),
            element("span", size, class_="tile-size"),
            element("span", MEANING[kind].partition(";")[0], class_="tile-meaning"),
            href="#findings",
            data_class=kind.value,
            class_=f"tile tile-{state}",
        ),
    )


def _between(elements: Sequence[Element], text: str) -> list[Element | str]:
    parts: list[Element | str] = []
    for made in elements:
        parts += [text, made] if parts else [made]
    return parts
