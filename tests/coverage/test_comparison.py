"""Comparing two recordings."""

import msgspec
import pytest

from apisnoop.coverage.comparison import compare
from apisnoop.coverage.share import Count
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.window import Window
from tests.coverage.recording import ALICE, NINE, WEB, Called, recorded

NODES = Called(ALICE, "GET", "/api/v1/nodes")
PODS = Called(ALICE, "GET", "/api/v1/pods")


def paths(changes):
    return [change.path for change in changes]


def test_what_only_one_side_used_is_new_or_gone(catalogue):
    """Newly used is what only the later store has, no longer used what only the earlier one has."""
    both = Called(WEB, "GET", "/api/v1/secrets")
    with recorded([NODES, both], catalogue=catalogue) as old, recorded([PODS, both], catalogue=catalogue) as new:
        report = compare(old, new)
    assert paths(report.newly_used) == ["/api/v1/pods"]
    assert paths(report.no_longer_used) == ["/api/v1/nodes"]
    assert (report.used_before, report.used_after) == (2, 2)
    assert report.differs
    assert [who.identity for who in report.newly_used[0].callers] == ["alice"]


def test_a_store_does_not_differ_from_itself(catalogue):
    """No change, whatever is in it."""
    with recorded(catalogue=catalogue) as store:
        report = compare(store, store)
    assert not report.differs
    assert report.used_before == report.used_after > 0


def test_a_call_that_is_now_refused_is_no_longer_used(catalogue):
    """By default only calls answered without an error are use; with --count any refused ones are, too."""
    refused = NODES._replace(status=403)
    with recorded([NODES, PODS], catalogue=catalogue) as old, recorded([refused, PODS], catalogue=catalogue) as new:
        assert paths(compare(old, new).no_longer_used) == ["/api/v1/nodes"]
        assert not compare(old, new, count=Count.ANY).differs


def test_what_only_fails_now_is_told_from_what_is_called_no_more(catalogue):
    """It is named with those who used it, not with whoever tries in vain."""
    refused = Called(WEB, "GET", "/api/v1/nodes", status=403)
    with recorded([NODES, PODS], catalogue=catalogue) as old, recorded([refused], catalogue=catalogue) as new:
        nodes, pods = compare(old, new).no_longer_used
    assert (nodes.path, nodes.is_only_refused, pods.is_only_refused) == ("/api/v1/nodes", True, False)
    assert [who.identity for who in nodes.callers] == ["alice"]


def test_what_the_later_recording_calls_deprecated_is_newly_deprecated(catalogue):
    """Each store is taken at the word of its own catalogue, and only what changed between them is told."""
    operations = [
        msgspec.structs.replace(found, deprecated=True) if found.id == "listCoreV1Node" else found
        for found in catalogue.operations.values()
    ]
    later = Catalogue(operations, release="1.99", source="a later release")
    watch = Called(ALICE, "GET", "/api/v1/watch/nodes")
    with recorded([NODES, watch], catalogue=catalogue) as old, recorded([NODES, watch], catalogue=later) as new:
        report = compare(old, new)
        judged = compare(old, old, judge=later)
    assert paths(report.newly_deprecated) == paths(judged.newly_deprecated) == ["/api/v1/nodes"]
    assert not report.newly_used
    assert judged.after.catalogue.release == "1.99"


def test_a_catalogue_tells_what_an_upgrade_would_take_away(catalogue, older):
    """Held against a later release, what it no longer serves is told with the reason, also if only BEFORE used it."""
    gone = Called(ALICE, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas")
    with recorded([gone, NODES], catalogue=older) as old, recorded([NODES], catalogue=older) as new:
        (change,) = compare(old, new, judge=catalogue).no_longer_served
        assert compare(old, new).no_longer_served == ()
    assert change.path == gone.url
    assert "removed in 1.32" in change.after.reason


def test_an_empty_side_is_refused(catalogue):
    """Where nothing was recorded nothing can have changed: the message names the store."""
    with recorded([], catalogue=catalogue) as empty, recorded(catalogue=catalogue) as full:
        for sides in ((empty, full), (full, empty)):
            with pytest.raises(ApisnoopError, match="holds no calls to compare"):
                compare(*sides)
        with pytest.raises(ApisnoopError, match="widen --since"):
            compare(full, full, window=Window.of(0, 3600))


def test_health_checks_are_no_change(catalogue):
    """What belongs to no catalogue is no part of the API to compare."""
    health = Called(ALICE, "GET", "/livez")
    with recorded([NODES, health], catalogue=catalogue) as old, recorded([NODES], catalogue=catalogue) as new:
        assert not compare(old, new).differs


def test_both_origins_are_told(catalogue):
    """The comparison says where each side comes from."""
    with recorded([NODES], catalogue=catalogue) as old, recorded([NODES], catalogue=catalogue) as new:
        report = compare(old, new, now=NINE)
    assert (report.before.calls, report.after.calls) == (1, 1)
    assert report.before.catalogue.release == "1.36"
