"""From a recording to a coverage report."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop.calls.tally import Loss
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.report import FindingClass
from apisnoop.coverage.share import Count, Share
from apisnoop.coverage.who import Dimension
from apisnoop.store.window import Window
from tests.coverage.recording import ALICE, NINE, NOBODY, SHOP, SUITE, WEB, Called, recorded


@pytest.fixture
def report(catalogue):
    with recorded(catalogue=catalogue) as store:
        yield coverage_of(store, catalogue, by=Dimension.WORKLOAD, callers=True, now=NINE)


def use_of(report, operation):
    (found,) = [use for use in report.operations if use.operation.id == operation]
    return found


def test_totals_are_those_of_the_catalogue(report):
    """The total leaves out the deprecated operations and `every` holds them: the figures of Kubernetes 1.36."""
    assert report.current.total == 908
    assert report.every.total == 1123
    assert {group.name: group.share.total for group in report.levels} == {"stable": 666, "beta": 158, "alpha": 84}


def test_an_error_answer_counts_only_under_any(report):
    """A call that was refused makes its operation hit under `any`, not under `ok`."""
    secret = use_of(report, "readCoreV1NamespacedSecret")
    assert (secret.calls.ok, secret.calls.errors) == (0, 2)
    assert report.current.any - report.current.ok == 1


def test_every_table_adds_up_to_the_total(report):
    """Levels, group/versions and resources each split the same operations; no operation is lost or counted twice."""
    for groups in (report.levels, report.groups, report.resources):
        assert sum((group.share for group in groups), Share()) == report.current
        assert sum(group.calls for group in groups) == sum(
            use.calls.total for use in report.operations if not use.operation.deprecated
        )


def test_a_watch_is_counted_beside_the_list_of_the_same_operation(report):
    """One operation reads a collection and watches it; by verb these are two things to cover."""
    verbs = {group.name: group for group in report.verbs}
    assert verbs["watch"].share == Share(128, 1, 1)
    assert verbs["watch"].calls == 3
    assert (verbs["list"].share.total, verbs["list"].calls) == (129, 14)


def test_details_tell_kinds_of_patch_apart(report):
    """Server-side apply is not lost among the other patches."""
    assert [(detail.name, detail.ok, detail.calls) for detail in report.details] == [("apply", 1, 1)]


def test_each_finding_names_its_class_and_callers(report):
    """Deprecated, removed, invalid, beta and unlisted calls are found, each with who made them."""
    found = {(finding.kind.value, finding.path): finding for finding in report.findings}
    assert {kind for kind, _ in found} == {"removed", "invalid", "deprecated", "beta", "unlisted"}
    deprecated = found["deprecated", "/api/v1/watch/namespaces/{namespace}/endpoints"]
    assert [caller.who.label for caller in deprecated.callers] == ["shop/deployment/web[app] (web/2.1)"]
    assert deprecated.calls.total == 5
    removed = found["removed", "/apis/batch/v1beta1/cronjobs"]
    assert "batch/v1" in removed.reason
    assert [caller.who.label for caller in removed.callers] == ["alice (kubectl/v1.36.0)"]


def test_what_the_server_answered_is_never_called_invalid(report):
    """A custom resource that the catalogue does not list was answered: it is unlisted, no fault of the caller."""
    (widgets,) = [finding for finding in report.findings if finding.kind is FindingClass.UNLISTED]
    assert widgets.path.endswith("/widgets")
    assert widgets.calls.ok == 4


def test_discovery_of_a_beta_group_is_no_use_of_beta(report):
    """Clients ask for the resources of every group/version; only calls to beta resources are findings."""
    beta = [finding.operation for finding in report.findings if finding.kind is FindingClass.BETA]
    assert beta == ["listResourceV1beta1DeviceClass"]


def test_health_checks_are_counted_apart(report):
    """What is served outside every OpenAPI document is neither hit nor finding, and not forgotten either."""
    assert report.not_api.total == 7
    assert not any("livez" in finding.path for finding in report.findings)


def test_eligible_leaves_out_what_conformance_leaves_out(catalogue):
    """Of the stable operations of 1.36, 101 are outside conformance; the totals shrink by exactly these."""
    with recorded(catalogue=catalogue) as store:
        report = coverage_of(store, catalogue, eligible=True)
    assert (report.left_out, report.current.total) == (101, 807)
    assert {group.name: group.share.total for group in report.levels}["stable"] == 565


def test_a_window_leaves_out_other_hours(catalogue):
    """Only the calls of the hours asked for count, and the report says which hours."""
    with recorded(catalogue=catalogue) as store:
        report = coverage_of(store, catalogue, window=Window.of(NINE, NINE + 3600))
    assert report.provenance.calls == sum(call.times for call in SHOP if call.after < 3600)
    assert (report.provenance.since, report.provenance.until) == (NINE, NINE + 3600)
    assert use_of(report, "readCoreV1NamespacedPod").calls.total == 0


def test_a_breakdown_splits_the_same_calls(report):
    """Every call belongs to exactly one workload; callers whose workload nobody knows are one row of their own."""
    parts = {part.name: part for part in report.by.parts}
    assert set(parts) == {"shop/deployment/web", "(unknown)"}
    assert sum(part.calls.total for part in report.by.parts) == report.provenance.calls
    assert dict(parts["shop/deployment/web"].findings) == {FindingClass.DEPRECATED: 5, FindingClass.UNLISTED: 4}
    assert parts["shop/deployment/web"].share.total == report.current.total


@pytest.mark.parametrize(
    ("dimension", "names"),
    [
        (Dimension.NAMESPACE, {"shop", "(unknown)"}),
        (Dimension.POD, {"shop/web-7d4b9-x2x4p", "(unknown)"}),
        (Dimension.CONTAINER, {"shop/deployment/web[app]", "(unknown)"}),
        (Dimension.SERVICE_ACCOUNT, {"shop/web", "(no service account)"}),
        (Dimension.CLIENT, {"web/2.1", "kubectl/v1.36.0", "e2e.test/v1.36.0"}),
        (Dimension.TEST, {"[sig-apps] Deployment should run", "(unknown)"}),
    ],
)
def test_every_dimension_names_its_parts(catalogue, dimension, names):
    """Each value of --by tells callers apart by its own property."""
    with recorded(catalogue=catalogue) as store:
        report = coverage_of(store, catalogue, by=dimension)
    assert {part.name for part in report.by.parts} == names


def test_everybody_is_listed_with_what_they_called(report):
    """Each caller's uses point at the operations it called, with the calls made."""
    by_label = {caller.who.label: caller for caller in report.callers}
    web = by_label["shop/deployment/web[app] (web/2.1)"]
    called = {report.operations[place].operation.id: (ok, errors) for place, ok, errors in web.uses}
    assert called["readCoreV1NamespacedSecret"] == (0, 2)
    assert called["replaceCoordinationV1NamespacedLease"] == (900, 0)
    assert sum(caller.calls.total for caller in report.callers) == report.provenance.calls


def test_replicas_of_one_workload_are_one_caller(catalogue):
    """Who made calls is a workload and its program, whichever of its pods it was."""
    other = type(WEB)(
        **{field: getattr(WEB, field) for field in WEB.__struct_fields__} | {"pod": "web-2", "pod_uid": "7"}
    )
    calls = [Called(caller, "GET", "/api/v1/watch/pods") for caller in (WEB, other)]
    with recorded(calls, catalogue=catalogue) as store:
        report = coverage_of(store, catalogue)
    (finding,) = report.findings
    assert [caller.calls.total for caller in finding.callers] == [2]


def test_a_store_can_be_held_against_a_later_release(catalogue, older):
    """What 1.30 served and 1.36 does not becomes a removed finding; the report says that two catalogues were used."""
    gone = Called(ALICE, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas")
    with recorded([gone, Called(ALICE, "GET", "/api/v1/pods")], catalogue=older) as store:
        then, now = coverage_of(store, older), coverage_of(store, catalogue)
    assert then.findings[0].kind is FindingClass.BETA
    assert [finding.kind for finding in now.findings] == [FindingClass.REMOVED]
    assert use_of(now, "listCoreV1PodForAllNamespaces").calls.total == 1
    assert any("1.30" in note for note in now.provenance.notes)
    assert then.provenance.notes == ()


def test_a_finding_becomes_an_operation_in_a_catalogue_that_has_it(catalogue, older):
    """Recorded against a release that did not know it, reported against one that does: it counts."""
    new = Called(ALICE, "GET", "/apis/resource.k8s.io/v1/deviceclasses")
    with recorded([new], catalogue=older) as store:
        assert coverage_of(store, older).findings[0].kind is FindingClass.UNLISTED
        report = coverage_of(store, catalogue)
    assert report.findings == ()
    assert use_of(report, "listResourceV1DeviceClass").calls.ok == 1


def test_losses_and_sources_reach_the_report(catalogue):
    """What could not be counted is part of every report's origin, with an example."""
    with recorded(catalogue=catalogue, losses=[Loss("audit log", "bad line")]) as store:
        (lost,) = coverage_of(store, catalogue).provenance.lost
    assert (lost.source, lost.reason, lost.count, lost.example) == ("audit log", "bad line", 3, "line 17")


def test_an_empty_store_is_told_from_a_quiet_one(catalogue):
    """Without any call the report is marked empty; a window that nothing fell into is too."""
    with recorded([], catalogue=catalogue) as store:
        assert coverage_of(store, catalogue).provenance.is_empty
    with recorded(catalogue=catalogue) as store:
        assert coverage_of(store, catalogue, window=Window.of(0, 3600)).provenance.is_empty
        assert not coverage_of(store, catalogue).provenance.is_empty


def test_counting_any_answer_changes_the_figure_and_nothing_else(catalogue):
    """--count any judges by another number; both numbers are in the report either way."""
    with recorded(catalogue=catalogue) as store:
        ok, any_answer = (coverage_of(store, catalogue, count=count, now=NINE) for count in Count)
    assert ok.current == any_answer.current
    assert ok.current.hit(Count.ANY) == any_answer.current.hit(any_answer.count) > ok.current.hit(ok.count)


URLS = ["/api/v1/pods", "/api/v1/watch/pods", "/livez", "/nope", "/apis/batch/v1beta1/cronjobs", "/apis/x.io/v1/things"]
CALLS = st.lists(
    st.builds(
        Called,
        st.sampled_from([WEB, ALICE, SUITE, NOBODY]),
        st.sampled_from(["GET", "POST", "DELETE"]),
        st.sampled_from(URLS),
        st.sampled_from([0, 200, 301, 403, 404, 500]),
        st.integers(1, 3),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=30)
@given(CALLS, st.sampled_from(list(Dimension)))
def test_no_call_is_lost_or_counted_twice(catalogue, calls, by):
    """However calls are told apart (operation or finding, caller, --by), they add up to those recorded."""
    with recorded(calls, catalogue=catalogue) as store:
        report = coverage_of(store, catalogue, by=by, callers=True)
    total = sum(call.times for call in calls)
    by_class = {kind: [found for found in report.findings if found.kind is kind] for kind in FindingClass}
    elsewhere = [*by_class[FindingClass.REMOVED], *by_class[FindingClass.INVALID], *by_class[FindingClass.UNLISTED]]
    operations = sum(use.calls.total for use in report.operations)
    assert report.provenance.calls == total
    assert operations + report.not_api.total + sum(found.calls.total for found in elsewhere) == total
    assert sum(part.calls.total for part in report.by.parts) == total
    assert sum(caller.calls.total for caller in report.callers) == total
    for found in report.findings:
        assert sum(caller.calls.total for caller in found.callers) == found.calls.total
    assert report.provenance.is_empty == (total == 0)
