"""HAR entries as calls."""

import json

import pytest

from apisnoop.calls.har import BAD_ENTRY, NOT_KUBERNETES, call_of_entry
from tests.calls.sample import CATALOGUE


def entry(method="GET", url="https://10.0.0.1:6443/api/v1/pods?watch=true", **changes):
    made = {
        "startedDateTime": "2026-06-01T11:00:00.250+02:00",
        "time": 12.5,
        "request": {
            "method": method,
            "url": url,
            "headers": [
                {"name": "User-Agent", "value": "kubectl/v1.36.3 (linux/amd64) kubernetes/aecb14a"},
                {"name": "Authorization", "value": "Bearer secret-token"},
                {"name": "Content-Type", "value": "application/merge-patch+json"},
            ],
            "bodySize": 7,
        },
        "response": {
            "status": 200,
            "headers": [{"name": "audit-id", "value": "a-1"}],
            "bodySize": 99,
            "content": {"text": "secret-body"},
        },
    }
    return json.dumps(made | changes).encode()


def test_an_entry_is_a_call():
    """Time, duration, status, sizes, audit id and client come out; the query keeps what it may."""
    call = call_of_entry(entry(), CATALOGUE)
    assert not isinstance(call, str)
    assert call.match.operation is not None
    assert (call.match.operation.id, call.match.verb) == ("listCoreV1PodForAllNamespaces", "watch")
    assert (call.started, call.duration, call.status) == (1_780_304_400.25, 0.0125, 200)
    assert (call.request_bytes, call.response_bytes, call.audit_id) == (7, 99, "a-1")
    assert (call.caller.client, call.caller.client_version) == ("kubectl", "v1.36.3")
    assert call.path == "/api/v1/pods?watch=true"
    assert "secret" not in repr(call)


def test_the_kind_of_a_patch_comes_from_its_content_type():
    """The request's own header tells a merge patch from the others."""
    call = call_of_entry(entry("PATCH", "http://127.0.0.1:8001/api/v1/nodes/n"), CATALOGUE)
    assert not isinstance(call, str)
    assert call.match.detail == "merge-patch"


@pytest.mark.parametrize(
    "url", ["https://example.com/", "https://example.com/api2/x", "https://example.com/static/app.js", "data:,x"]
)
def test_other_sites_are_no_calls(url):
    """A browser's HAR holds more than Kubernetes; that is no finding."""
    assert call_of_entry(entry(url=url), CATALOGUE) == NOT_KUBERNETES


def test_an_unknown_path_below_a_known_root_is_a_finding():
    """A request that the API server would answer 404 is a call of an unknown group and version."""
    call = call_of_entry(entry(url="https://10.0.0.1/apis/example.com/v1/things"), CATALOGUE)
    assert not isinstance(call, str)
    assert call.match.finding is not None


@pytest.mark.parametrize(
    "bad",
    [
        b"{}",
        b"[]",
        b"not json",
        entry(startedDateTime="2026-06-01T11:00:00"),
        entry(startedDateTime=5),
        entry(request={"method": "GET"}),
        entry(url="http://[broken"),
        entry(response={"status": "x"}),
    ],
)
def test_what_is_no_entry_is_told_as_such(bad):
    """Nothing raises, whatever the entry holds."""
    assert call_of_entry(bad, CATALOGUE) == BAD_ENTRY


def test_an_exchange_without_an_answer_has_status_0():
    """A failed request is kept, with no status and no duration below zero."""
    call = call_of_entry(entry(response={"status": 0}, time=-1), CATALOGUE)
    assert not isinstance(call, str)
    assert (call.status, call.duration, call.response_bytes) == (0, 0.0, 0)
