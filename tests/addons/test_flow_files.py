"""Reading mitmproxy flow files."""

import base64
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.flow import Error
from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.io import FlowWriter, tnetstring
from mitmproxy.test import tflow

from apisnoop.calls.call import Call
from apisnoop.calls.tally import Loss
from apisnoop.operations.source import load_catalogue
from apisnoop_addons import flow_files
from apisnoop_addons.flow_files import BAD_FLOW, NOT_HTTP, TOO_LARGE, read, recognises

CATALOGUE = load_catalogue("1.34")
CLAIMS = {"sub": "system:serviceaccount:shop:web", "kubernetes.io": {"pod": {"name": "web-1", "uid": "u"}}}
TOKEN = f"a.{base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip('=')}.c"


def make_flow(
    method: str = "GET", path: str = "/api/v1/namespaces/shop/pods", status: int = 200, **headers: str
) -> HTTPFlow:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.request.method, flow.request.path, flow.request.content = method, path, b"12345"
    flow.request.headers = Headers(
        [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    )
    flow.response.status_code = status
    flow.response.headers["Audit-Id"] = "id-1"
    flow.request.timestamp_start, flow.response.timestamp_end = 1000.0, 1000.25
    return flow


def written(*flows: object) -> bytes:
    file = io.BytesIO()
    for flow in flows:
        FlowWriter(file).add(flow)
    return file.getvalue()


def read_all(content: bytes) -> list[Call | Loss]:
    return list(read(io.BytesIO(content), CATALOGUE))


def test_a_flow_is_a_call():
    """Method, path, answer, time and sizes are the flow's; operation and verb come from the catalogue."""
    [call] = read_all(written(make_flow(user_agent="kubectl/v1.34.0 (linux/amd64) kubernetes/abc")))
    assert isinstance(call, Call)
    assert call.match.operation is not None
    assert call.match.operation.id == "listCoreV1NamespacedPod"
    assert (call.match.verb, call.match.namespace, call.status, call.audit_id) == ("list", "shop", 200, "id-1")
    assert (call.started, call.duration, call.request_bytes, call.response_bytes) == (1000.0, 0.25, 5, 7)
    assert (call.caller.client, call.error) == ("kubectl", "")


def test_a_token_says_who_it_was_when_the_server_took_it():
    """A 401 proves nothing; the token itself is not kept."""
    calls = read_all(
        written(*(make_flow(authorization=f"Bearer {TOKEN}", status=status) for status in (200, 403, 401)))
    )
    assert [call.caller.service_account for call in calls if isinstance(call, Call)] == ["shop/web", "shop/web", ""]
    assert TOKEN not in repr(calls)


def test_what_may_be_a_secret_in_the_query_is_left_out():
    """As everywhere."""
    [call] = read_all(written(make_flow(path="/api/v1/namespaces/shop/pods/p/exec?command=hunter2&stdin=true")))
    assert isinstance(call, Call)
    assert call.path == "/api/v1/namespaces/shop/pods/p/exec?stdin=true"
    assert "hunter2" not in repr(call)


def test_patches_are_told_apart():
    """By their content type."""
    flow = make_flow("PATCH", "/api/v1/namespaces/shop/pods/p", content_type="application/apply-patch+yaml")
    [call] = read_all(written(flow))
    assert isinstance(call, Call)
    assert call.match.detail == "apply"


def test_a_flow_without_an_answer_has_status_zero():
    """And says who ended it."""
    flows = [make_flow(), make_flow()]
    for flow, message in zip(flows, ("Client disconnected.", "Connection refused"), strict=True):
        flow.response, flow.error = None, Error(message, 1001.0)
    calls = read_all(written(*flows))
    assert [(call.status, call.error, call.duration) for call in calls if isinstance(call, Call)] == [
        (0, "client-disconnected", 1.0),
        (0, "upstream-error", 1.0),
    ]


def test_what_is_no_call_to_kubernetes_is_told_as_such():
    """Other sites and other protocols are counted as left out, not as wrong calls."""
    losses = read_all(written(make_flow(path="/login"), tflow.ttcpflow()))
    assert losses == [Loss("mitmproxy-flow", "not-kubernetes"), Loss("mitmproxy-flow", NOT_HTTP)]


def test_an_unknown_path_of_the_api_is_a_call():
    """It is a finding, not somebody else's traffic."""
    [call] = read_all(written(make_flow(path="/apis/example.com/v1/things")))
    assert isinstance(call, Call)
    assert call.match.finding is not None


def test_files_of_older_versions_are_read():
    """mitmproxy's own conversions are used."""
    state = make_flow().get_state()
    state["version"] = 20
    [call] = read_all(tnetstring.dumps(state))
    assert isinstance(call, Call)


def test_a_flow_that_cannot_be_understood_does_not_stop_the_rest():
    """It is counted as bad, and the next one is read."""
    future = {**make_flow().get_state(), "version": 999}
    content = tnetstring.dumps(future) + tnetstring.dumps([1]) + b"3:abc?" + written(make_flow())
    found = read_all(content)
    assert found[:3] == [Loss("mitmproxy-flow", BAD_FLOW)] * 3
    assert isinstance(found[3], Call)


def test_a_flow_with_a_huge_body_is_skipped(monkeypatch):
    """It is not held in memory, and the next one is read."""
    large, small = make_flow(), make_flow()
    large.request.content = b"x" * 100_000
    monkeypatch.setattr(flow_files, "LARGEST", 50_000)
    first, second = read_all(written(large, small))
    assert first == Loss("mitmproxy-flow", TOO_LARGE)
    assert isinstance(second, Call)


@pytest.mark.parametrize(
    ("cut", "message"),
    [(lambda content: content[:-10], "ends in the middle"), (lambda content: content + b"xyz", "damaged")],
)
def test_a_file_that_is_cut_off_or_damaged_keeps_what_it_had(cut, message):
    """The calls before the damage are given first."""
    found: list[Call | Loss] = []

    def collect(calls: Iterator[Call | Loss]) -> None:
        found.extend(calls)

    with pytest.raises(ValueError, match=message):
        collect(_one_by_one(read(io.BytesIO(cut(written(make_flow(), make_flow()))), CATALOGUE), found))
    assert isinstance(found[0], Call)


def _one_by_one(calls: Iterator[Call | Loss], found: list[Call | Loss]) -> Iterator[Call | Loss]:
    for call in calls:
        found.append(call)
        yield call


def test_reading_again_gives_as_much_again():
    """An import that was interrupted continues by counting."""
    content = written(make_flow(), tflow.ttcpflow(), make_flow())
    assert len(read_all(content)) == len(read_all(content)) == 3


def test_flow_files_are_recognised():
    """By their beginning alone; other inputs are not taken for one."""
    assert recognises(written(make_flow())[:64])
    assert recognises(written(tflow.ttcpflow())[:64])
    for other in (b"", b'{"kind":"Event"}', b"12:34", b"\x1f\x8b", b"2026-01-01 10:00:00 GET /api", b"1:2:A;"):
        assert not recognises(other)


@given(st.binary(max_size=200))
def test_whatever_is_in_a_file_it_is_read_or_refused(content):
    """Nothing but a ValueError comes of damaged files."""
    recognises(content)
    try:
        read_all(content)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right
