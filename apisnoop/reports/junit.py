"""Coverage as JUnit XML, which every CI shows: the gate passes or fails, operations are passed or skipped.

There is no one schema; this is the common core that Jenkins, GitLab and GitHub's readers take
(https://github.com/testmoapp/junitxml).
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.report import GATED, CoverageReport, FindingUse, OperationUse
from apisnoop.coverage.share import Count
from apisnoop.coverage.shares import group_version
from apisnoop.reports.origin import empty_explained, origin
from apisnoop.reports.wording import clean, counted, headline, iso


def render_coverage(report: CoverageReport, verdicts: Sequence[Verdict] = ()) -> str:
    """Render a coverage report: suites for the gate, for findings, and for each group/version's operations.

    Only a rule of the gate, and the findings that break it, fail. A report without any call has one case that errs.
    """
    root = Element("testsuites", name="apisnoop coverage")
    if report.provenance.is_empty:
        suite = _suite(root, "data", report)
        case = _case(suite, "data", "calls are recorded")
        SubElement(case, "error", message=clean(empty_explained(report.provenance))).text = _origin_text(report)
    _gate(root, report, verdicts)
    if not report.provenance.is_empty:
        _findings(root, report, {verdict.rule for verdict in verdicts if not verdict.passed})
        _operations(root, report)
    for element in (root, *root):
        _count(element)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _gate(root: Element, report: CoverageReport, verdicts: Iterable[Verdict]) -> None:
    suite = _suite(root, "gate", report)
    for verdict in verdicts:
        case = _case(suite, "gate", verdict.rule)
        if not verdict.passed:
            SubElement(case, "failure", message=clean(verdict.message), type="gate")
    if not report.provenance.is_empty:
        SubElement(suite, "system-out").text = headline(report)


def _findings(root: Element, report: CoverageReport, failed: set[str]) -> None:
    suite = _suite(root, "findings", report)
    for finding in report.findings:
        case = _case(suite, f"findings.{finding.kind.value}", f"{finding.method} {finding.path}")
        said = _finding_text(finding)
        if finding.kind in GATED and f"--fail-on {finding.kind.value}" in failed:
            SubElement(case, "failure", message=said.split("\n", 1)[0], type=finding.kind.value).text = said
        else:
            SubElement(case, "system-out").text = said


def _finding_text(finding: FindingUse) -> str:
    lines = [f"{finding.kind.value}: {counted(finding.calls.total, 'call')}. {finding.reason}".rstrip(" .")]
    lines += [f"{caller.calls.total} by {caller.who.label}" for caller in finding.callers]
    return "\n".join(map(clean, lines))


def _operations(root: Element, report: CoverageReport) -> None:
    current = (use for use in report.operations if not use.operation.deprecated)
    judged = [use for use in current if not (report.eligible and use.ineligible)]
    by_group = sorted(judged, key=lambda use: group_version(use.operation))
    for name, uses in groupby(by_group, key=lambda use: group_version(use.operation)):
        suite = _suite(root, f"operations {name}", report)
        for use in uses:
            case = _case(suite, name, f"{use.operation.id} ({use.operation.method} {use.operation.path})")
            if not _is_hit(use, report.count):
                answered = (
                    f"{counted(use.calls.errors, 'call')}, none answered without an error"
                    if use.calls.errors
                    else "not called"
                )
                SubElement(case, "skipped", message=answered)


def _is_hit(use: OperationUse, count: Count) -> bool:
    return bool(use.calls.ok if count is Count.OK else use.calls.total)


def _suite(root: Element, name: str, report: CoverageReport) -> Element:
    suite = SubElement(root, "testsuite", name=clean(name), timestamp=iso(report.provenance.generated) or "")
    if len(root) == 1:
        properties = SubElement(suite, "properties")
        for heading, lines in origin(report.provenance):
            for line in lines:
                SubElement(properties, "property", name=heading, value=clean(line))
    return suite


def _origin_text(report: CoverageReport) -> str:
    return "\n".join(clean(f"{heading}: {line}") for heading, lines in origin(report.provenance) for line in lines)


def _case(suite: Element, group: str, name: str) -> Element:
    return SubElement(suite, "testcase", classname=f"apisnoop.{clean(group)}", name=clean(name), time="0")


def _count(element: Element) -> None:
    """Write how many cases an element holds and how they ended, as readers expect it."""
    element.set("tests", str(sum(1 for _ in element.iter("testcase"))))
    for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(plural, str(sum(1 for _ in element.iter(tag))))
    element.set("time", "0")
