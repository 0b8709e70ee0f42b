"""Shares by level, group/version, resource and verb."""

import msgspec
import pytest

from apisnoop.coverage import shares
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.share import Share
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue
from tests.coverage.recording import ALICE, WEB, Called, recorded

TOTALS = {"1.30": (944, 769), "1.32": (947, 770), "1.34": (1062, 859), "1.36": (1123, 908)}


@pytest.mark.parametrize("release", TOTALS)
def test_every_release_has_its_known_totals(release):
    """All operations, and those not deprecated, are as many as others count in the same documents."""
    catalogue = load_catalogue(release)
    with recorded([Called(ALICE, "GET", "/api/v1/pods")], catalogue=catalogue) as store:
        report = coverage_of(store, catalogue)
    assert (report.every.total, report.current.total) == TOTALS[release]
    verbs = {group.name: group.share.total for group in report.verbs}
    assert sum(verbs.values()) - verbs["watch"] == report.current.total
    assert verbs["list"] - verbs["watch"] == 1, "only component statuses cannot be watched"


@pytest.mark.parametrize(
    ("method", "url", "group", "resource", "verb"),
    [
        ("GET", "/api/v1/pods", "v1", "pods", "list"),
        ("GET", "/api/v1/pods?watch=1", "v1", "pods", "watch"),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale", "apps/v1", "deployments.apps", "get"),
        ("POST", "/api/v1/namespaces/shop/pods/web/exec", "v1", "pods", "create"),
        ("GET", "/apis/apps", "apps (group)", "(no resource)", "get"),
        ("GET", "/apis/apps/v1", "apps/v1", "(no resource)", "get"),
        ("GET", "/version", "(no group)", "(no resource)", "get"),
        ("DELETE", "/api/v1/namespaces/shop/pods", "v1", "pods", "deletecollection"),
    ],
)
def test_a_call_counts_in_one_row_of_each_table(catalogue, method, url, group, resource, verb):
    """Names are those people write: apps/v1, deployments.apps, the server's verb."""
    with recorded([Called(WEB, method, url)], catalogue=catalogue) as store:
        report = coverage_of(store, catalogue)
    for groups, name in ((report.groups, group), (report.resources, resource), (report.verbs, verb)):
        assert [(found.name, found.share.ok, found.calls) for found in groups if found.calls] == [(name, 1, 1)]


def test_rows_have_the_order_people_expect(catalogue):
    """Settled levels first; the core group first; verbs as people write them; what has no name last."""
    with recorded(catalogue=catalogue) as store:
        report = coverage_of(store, catalogue)
    assert [group.name for group in report.levels] == ["stable", "beta", "alpha"]
    assert (report.groups[0].name, report.groups[-1].name) == ("v1", shares.NO_GROUP)
    assert report.resources[-1].name == shares.NO_RESOURCE
    assert [group.name for group in report.verbs][:4] == ["get", "list", "watch", "create"]


def test_custom_resources_are_taken_to_be_watchable(catalogue):
    """Documents of custom resources have no /watch/ paths to tell by; each of them can be watched."""
    lists = [
        msgspec.structs.replace(
            found, id=f"{found.id}2", group="example.com", path=found.path.replace("apps", "example.com")
        )
        for found in catalogue.operations.values()
        if found.group == "apps" and found.action == "list"
    ]
    custom = Catalogue(lists, release="", source="custom resources")
    with recorded([Called(WEB, "GET", "/apis/example.com/v1/deployments?watch=1")], catalogue=custom) as store:
        report = coverage_of(store, custom)
    verbs = {group.name: group.share for group in report.verbs}
    assert verbs == {"list": Share(len(lists)), "watch": Share(len(lists), 1, 1)}
