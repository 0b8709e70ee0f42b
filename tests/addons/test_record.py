"""One call for each flow, when nothing more can come of it."""

from types import SimpleNamespace

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import Headers, Response

from apisnoop.calls.caller import Caller
from apisnoop.operations.source import load_catalogue
from apisnoop_addons.engine.outcome import CLIENT_DISCONNECTED, REFUSED_BY_PROXY, UPSTREAM_ERROR, note_outcome
from apisnoop_addons.engine.tunnel import TUNNEL_BYTES
from apisnoop_addons.identify import CALLER
from apisnoop_addons.record import LONGEST_AUDIT_ID, LONGEST_WARNING, MOST_WARNINGS, Record
from apisnoop_addons.stream import Stream
from tests.addons.flows import PODS, accepted_by, make_flow, send, trigger

STARTED = 1_750_000_000.0


@pytest.fixture(scope="module")
def catalogue():
    """A shipped catalogue."""
    return load_catalogue("1.34")


@pytest.fixture
def calls():
    """What has been recorded."""
    return []


@pytest.fixture
def addons(catalogue, calls):
    """The recorder, behind what it stands behind in the proxy."""
    return [Stream(), Record(catalogue, calls.append)]


def begin(addons, flow, status=0):
    """Take a flow to its answer's head, or only to its request's."""
    flow.request.timestamp_start = STARTED
    trigger(addons, "requestheaders", flow)
    if status:
        flow.response = Response.make(status)
        trigger(addons, "responseheaders", flow)
    return flow


def test_an_answered_call_is_recorded_with_what_was_asked_and_answered(addons, calls, monkeypatch):
    """Operation, caller, status, times, sizes, and the id under which the server's own log has it."""
    monkeypatch.setattr("time.time", lambda: STARTED + 1.5)
    flow = make_flow(f"{PODS}?limit=5&continue=opaque", headers={"Authorization": "Bearer planted"})
    flow.request.timestamp_start = STARTED
    flow.metadata[CALLER] = Caller(client="kubectl")
    send(addons, flow, request=b"12345", response=b"123456789", status=200, Audit_Id="a-1", Warning='299 - "old"')
    [call] = calls
    assert call.match.operation.id == "listCoreV1NamespacedPod"
    assert (call.caller, call.method, call.path) == (Caller(client="kubectl"), "GET", f"{PODS}?limit=5")
    assert (call.status, call.started, call.duration) == (200, STARTED, 1.5)
    assert (call.request_bytes, call.response_bytes) == (5, 9)
    assert (call.audit_id, call.warnings, call.error) == ("a-1", ('299 - "old"',), "")


def test_the_kind_of_patch_is_told_apart(addons, calls):
    """By the content type, as the server does."""
    for kind in ("application/apply-patch+yaml", "application/json-patch+json"):
        send(addons, make_flow(f"{PODS}/web", "PATCH", {"Content-Type": kind}))
    assert [call.match.detail for call in calls] == ["apply", "json-patch"]


def test_a_call_is_not_recorded_before_its_end(addons, calls):
    """A watch goes on; what has passed by then is not all of it."""
    begin(addons, make_flow(f"{PODS}?watch=1"), 200)
    assert calls == []


def test_a_watch_that_the_client_ends_is_recorded_as_answered(addons, calls):
    """It has a status and brought something, and says who ended it."""
    flow = begin(addons, make_flow(f"{PODS}?watch=1"), 200)
    flow.response.stream(b"event")
    flow.error = Error("whatever")
    note_outcome(flow, CLIENT_DISCONNECTED)
    trigger(addons, "error", flow)
    assert [(call.status, call.response_bytes, call.error) for call in calls] == [(200, 5, CLIENT_DISCONNECTED)]


def test_a_call_without_an_answer_has_no_status(addons, calls):
    """The server broke off before it said anything."""
    flow = begin(addons, make_flow())
    note_outcome(flow, UPSTREAM_ERROR)
    trigger(addons, "error", flow)
    assert [(call.status, call.error) for call in calls] == [(0, UPSTREAM_ERROR)]


def test_an_answer_of_our_own_is_not_the_servers(addons, calls):
    """What the proxy refuses has neither status nor audit id, whatever the client was told."""
    flow = begin(addons, make_flow())
    flow.response = Response.make(503, b"", {"Audit-Id": "made up"})
    trigger(addons, "error", flow)
    assert [(call.status, call.audit_id, call.error) for call in calls] == [(0, "", REFUSED_BY_PROXY)]


def test_an_upgraded_call_ends_with_its_connection(addons, calls):
    """What went both ways through it counts as its bodies."""
    flow = make_flow(f"{PODS}/web/exec?command=ls")
    send(addons, flow, status=101)
    assert calls == []
    flow.metadata[TUNNEL_BYTES] = SimpleNamespace(sent=7, received=11)
    trigger(addons, "upgrade_end", flow)
    [call] = calls
    assert (call.status, call.request_bytes, call.response_bytes, call.path) == (101, 7, 11, f"{PODS}/web/exec")


def test_a_call_is_recorded_once(addons, calls):
    """An answer may be followed by an error of its connection."""
    flow = make_flow()
    send(addons, flow)
    flow.error = Error("closed")
    trigger(addons, "error", flow)
    trigger(addons, "upgrade_end", flow)
    assert len(calls) == 1


def test_a_flow_that_began_before_the_recorder_is_left_alone(catalogue, calls):
    """It was nobody's to count."""
    send([Stream()], make_flow())
    trigger([Record(catalogue, calls.append)], "response", make_flow())
    assert calls == []


def test_a_body_that_somebody_wants_whole_is_left_to_them(catalogue, calls):
    """Another addon's decision is not undone; there is nothing to count then."""
    flow = make_flow()
    trigger([Record(catalogue, calls.append)], "requestheaders", flow)
    assert flow.request.stream is False


def test_hostile_headers_are_cut(addons, calls):
    """Of warnings and ids only as much is kept as anybody would read."""
    flow = begin(addons, make_flow())
    warnings = [(b"warning", b"w" * 10_000)] * 100
    flow.response = Response.make(200, b"", Headers([*warnings, (b"audit-id", b"i" * 10_000)]))
    trigger(addons, "responseheaders", flow)
    trigger(addons, "response", flow)
    [call] = calls
    assert [len(text) for text in call.warnings] == [LONGEST_WARNING] * MOST_WARNINGS
    assert len(call.audit_id) == LONGEST_AUDIT_ID


@pytest.mark.parametrize(
    ("asked", "recorded"),
    [("/k8s/c-1/api/v1/nodes", "/api/v1/nodes"), ("/k8s/c-1", "/"), ("/api/v1/nodes", "/api/v1/nodes")],
)
def test_a_prefix_of_the_server_is_not_recorded(addons, calls, asked, recorded):
    """Clusters behind Rancher have one; the operations are the same."""
    send(addons, accepted_by(make_flow(asked), path_prefix="/k8s/c-1"))
    assert [call.path for call in calls] == [recorded]


def test_bytes_that_are_no_text_are_recorded_as_such(addons, calls):
    """Neither a terminal nor a log is given what could move its cursor."""
    flow = make_flow()
    flow.request.data.path = b"/api/v1/\xff\x1b[2J\r\n/x"
    send(addons, flow)
    [call] = calls
    assert call.path == "/api/v1/??[2J??/x".replace("?", "\N{REPLACEMENT CHARACTER}")


def test_a_clock_that_is_set_back_gives_no_negative_duration(addons, calls, monkeypatch):
    """Clocks are set while watches are open."""
    flow = begin(addons, make_flow(), 200)
    monkeypatch.setattr("time.time", lambda: STARTED - 60)
    trigger(addons, "response", flow)
    assert [call.duration for call in calls] == [0.0]
