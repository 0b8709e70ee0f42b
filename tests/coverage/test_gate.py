"""The gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.coverage.gate import judge
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.report import GATED, FindingClass
from apisnoop.coverage.share import Count
from tests.coverage.recording import ALICE, Called, recorded


@pytest.fixture(scope="module")
def report(catalogue):
    with recorded(catalogue=catalogue) as store:
        return coverage_of(store, catalogue)


def test_no_rule_gives_no_verdict(report):
    """A gate is asked for or there is none."""
    assert judge(report) == ()


def test_a_share_at_the_threshold_passes(catalogue):
    """--fail-under 0.1 accepts one of 908 operations, 0.2 does not; the message has both numbers."""
    with recorded([Called(ALICE, "GET", "/api/v1/pods")], catalogue=catalogue) as store:
        report = coverage_of(store, catalogue)
    assert judge(report, 100 / 908)[0].passed
    (verdict,) = judge(report, 0.2)
    assert not verdict.passed
    assert "1 of 908" in verdict.message
    assert "0.2 % asked for" in verdict.message


@given(st.floats(0, 100))
def test_the_message_never_contradicts_the_verdict(report, least):
    """A failing share never reads as one that reaches the threshold."""
    (verdict,) = judge(report, least)
    shown = float(verdict.message.split("(")[1].split(" %")[0])
    assert verdict.passed == (report.current.ok * 100 >= least * 908)
    assert verdict.passed or shown <= least


def test_error_answers_count_as_asked(catalogue):
    """With --count any the gate judges by calls of any answer."""
    with recorded([Called(ALICE, "GET", "/api/v1/pods", 403)], catalogue=catalogue) as store:
        assert not judge(coverage_of(store, catalogue), 0.1)[0].passed
        assert judge(coverage_of(store, catalogue, count=Count.ANY), 0.1)[0].passed


@pytest.mark.parametrize(("kind", "passes"), [(kind, kind is FindingClass.ALPHA) for kind in GATED])
def test_each_class_fails_on_its_own_calls_only(report, kind, passes):
    """--fail-on CLASS fails where there was a call of that class, and says which and by whom."""
    (verdict,) = judge(report, None, [kind])
    assert verdict.passed is passes
    assert passes or "(" in verdict.message.split(" by ")[1]


def test_a_refused_call_to_a_removed_operation_still_fails(catalogue):
    """A class is about what was asked for; that the server answered with an error does not excuse it."""
    with recorded([Called(ALICE, "GET", "/apis/batch/v1beta1/cronjobs", 404)], catalogue=catalogue) as store:
        assert not judge(coverage_of(store, catalogue), None, [FindingClass.REMOVED])[0].passed


def test_nothing_recorded_fails_every_rule(catalogue):
    """What was not looked at cannot pass, neither a share of zero nor the absence of findings."""
    with recorded([], catalogue=catalogue) as store:
        verdicts = judge(coverage_of(store, catalogue), 0, GATED)
    assert [verdict.passed for verdict in verdicts] == [False] * 6
