"""The ranking of what is used but hardly tested."""

import msgspec

from apisnoop.coverage.gaps import IN_STORE, gaps_of
from apisnoop.coverage.share import Count
from apisnoop.coverage.tested import EndpointTests
from tests.coverage.recording import ALICE, SUITE, WEB, Called, recorded

BOB = msgspec.structs.replace(ALICE, user="bob")
NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
SECRETS = "/api/v1/secrets"


def ranked(report):
    return [gap.operation.id for gap in report.gaps]


def layer_of(**operations):
    return EndpointTests("file.json", {operation: frozenset(tests) for operation, tests in operations.items()})


def test_what_most_callers_use_comes_first(catalogue):
    """Two callers weigh more than a thousand calls of one; among equals the untested one comes first."""
    calls = [
        Called(ALICE, "GET", PODS, times=1000),
        Called(ALICE, "GET", NODES),
        Called(BOB, "GET", NODES),
        Called(ALICE, "GET", SECRETS),
    ]
    layer = layer_of(listCoreV1Node=["a"], listCoreV1PodForAllNamespaces=["a"])
    with recorded(calls, catalogue=catalogue) as store:
        report = gaps_of(store, catalogue, layer)
    assert ranked(report) == ["listCoreV1Node", "listCoreV1SecretForAllNamespaces", "listCoreV1PodForAllNamespaces"]
    assert [gap.tests for gap in report.gaps] == [("a",), (), ("a",)]


def test_two_tests_are_no_gap(catalogue):
    """An operation that more than one test calls is used and left out."""
    with recorded([Called(ALICE, "GET", NODES)], catalogue=catalogue) as store:
        report = gaps_of(store, catalogue, layer_of(listCoreV1Node=["a", "b"]))
    assert (report.used, report.gaps) == (1, ())


def test_tests_in_the_store_are_tests_and_no_use(catalogue):
    """A suite's own calls do not make an operation used in the field; they make it tested."""
    calls = [Called(SUITE, "GET", NODES), Called(SUITE, "GET", PODS), Called(WEB, "GET", PODS)]
    with recorded(calls, catalogue=catalogue) as store:
        report = gaps_of(store, catalogue)
    assert ranked(report) == ["listCoreV1PodForAllNamespaces"]
    assert report.gaps[0].tests == ("[sig-apps] Deployment should run",)
    assert [who.identity for who in report.gaps[0].callers] == ["shop/web"]
    assert report.tested == (IN_STORE,)


def test_file_and_store_add_up_without_counting_a_test_twice(catalogue):
    """A test that the file lists and the store saw is one test; another one in the file makes two."""
    calls = [Called(SUITE, "GET", NODES), Called(ALICE, "GET", NODES)]
    with recorded(calls, catalogue=catalogue) as store:
        same = gaps_of(store, catalogue, layer_of(listCoreV1Node=[SUITE.test]))
        other = gaps_of(store, catalogue, layer_of(listCoreV1Node=["another"]))
    assert [gap.tests for gap in same.gaps] == [(SUITE.test,)]
    assert other.gaps == ()


def test_nothing_is_called_untested_where_nothing_says_what_is_tested(catalogue):
    """Without a file and without tests in the store, tests are unknown, which is not none."""
    with recorded([Called(ALICE, "GET", NODES)], catalogue=catalogue) as store:
        report = gaps_of(store, catalogue)
    assert report.tested == ()
    assert report.gaps[0].tests is None


def test_refused_calls_are_use_only_if_asked(catalogue):
    """--count any takes calls that the server answered with an error for use."""
    with recorded([Called(ALICE, "GET", NODES, 403)], catalogue=catalogue) as store:
        assert gaps_of(store, catalogue).used == 0
        assert gaps_of(store, catalogue, count=Count.ANY).used == 1


def test_eligible_leaves_out_what_no_conformance_test_may_call(catalogue):
    """Operations outside conformance are marked with the reason, and left out on request."""
    with recorded([Called(ALICE, "GET", "/api/v1/componentstatuses")], catalogue=catalogue) as store:
        assert gaps_of(store, catalogue).gaps[0].ineligible == "pending-deprecation"
        assert gaps_of(store, catalogue, eligible=True).gaps == ()
