"""Coverage as JUnit XML."""

from xml.etree import ElementTree

import pytest

from apisnoop.coverage.gate import judge
from apisnoop.coverage.report import FindingClass
from apisnoop.reports.junit import render_coverage


def suites_of(text):
    return {suite.get("name"): suite for suite in ElementTree.fromstring(text.encode())}


def test_operations_hit_pass_and_the_others_are_skipped(report):
    """A CI's test view shows what was called; what was not is skipped, never failed."""
    suites = suites_of(render_coverage(report))
    pods = [case for case in suites["operations v1"] if "readCoreV1NamespacedPod " in (case.get("name") or "")]
    assert [len(case) for case in pods] == [0]
    assert suites["operations v1"].get("failures") == "0"
    cases = [
        case for name, suite in suites.items() if name.startswith("operations ") for case in suite.iter("testcase")
    ]
    assert len(cases) == 908
    assert sum(case.find("skipped") is None for case in cases) == 8


def test_only_what_the_gate_forbids_fails(report):
    """--fail-on deprecated fails its rule and the deprecated findings; removed calls are told, not failed."""
    suites = suites_of(render_coverage(report, judge(report, None, [FindingClass.DEPRECATED])))
    failed = {case.get("classname") for suite in suites.values() for case in suite if case.find("failure") is not None}
    assert failed == {"apisnoop.gate", "apisnoop.findings.deprecated"}
    assert suites["findings"].get("failures") == "1"


def test_without_rules_nothing_fails(report):
    """A report nobody set a threshold for cannot break a build."""
    root = ElementTree.fromstring(render_coverage(report).encode())
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_totals_are_those_of_the_cases(report):
    """The counts that readers trust are the number of cases, failures and skips there are."""
    root = ElementTree.fromstring(render_coverage(report, judge(report, 80)).encode())
    for element in (root, *root):
        assert int(element.get("tests")) == len(list(element.iter("testcase")))
        assert int(element.get("skipped")) == len(list(element.iter("skipped")))
        assert int(element.get("failures")) == len(list(element.iter("failure")))
    assert sum(int(suite.get("tests")) for suite in root) == int(root.get("tests"))


def test_an_empty_report_errs(empty_report):
    """A pipeline that recorded nothing must not look green, not even without a gate."""
    root = ElementTree.fromstring(render_coverage(empty_report).encode())
    assert root.get("errors") == "1"
    assert "says nothing about what was called" in root.find(".//error").get("message")


def test_the_origin_is_in_the_properties(report):
    """Catalogue, window, sources and losses are properties of the first suite."""
    suite = ElementTree.fromstring(render_coverage(report).encode())[0]
    names = {found.get("name") for found in suite.iter("property")}
    assert {"catalogue", "window", "sources", "not counted", "made"} <= names


@pytest.mark.parametrize("rules", [(), tuple(FindingClass)])
def test_hostile_names_are_well_formed_xml(hostile_report, rules):
    """Characters that XML forbids and markup in names leave a document that any parser reads."""
    text = render_coverage(hostile_report, judge(hostile_report, 80, rules))
    root = ElementTree.fromstring(text.encode())
    assert any("onerror=alert(1)" in (found.text or "") for found in root.iter("system-out")) or rules
