"""Copies of calls for looking hold nothing secret."""

import base64
import json

import pytest
from mitmproxy.io import tnetstring
from mitmproxy.test.tflow import tflow

from apisnoop.calls.caller import Caller
from apisnoop.operations.source import load_catalogue
from apisnoop_addons.bodies import Bodies
from apisnoop_addons.identify import CALLER
from apisnoop_addons.redact import Redact
from tests.addons.flows import PODS, make_flow, send, trigger

TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LWNsYWltcw.c2lnbmF0dXJl"
PASSWORD = "hunter2-is-a-secret"


@pytest.fixture(scope="module")
def catalogue():
    """The newest shipped catalogue."""
    return load_catalogue(None)


def shown(flow, *others, **how) -> list[dict]:
    """Return the states that were shown of one call, after the way to another process and back."""
    copies = []
    send([*others, Redact(copies.append)], flow, **how)
    return [tnetstring.loads(tnetstring.dumps(copy.get_state())) for copy in copies]


SECRETS = {
    "authorization": (PODS, {"Authorization": f"Bearer {TOKEN}"}, b"", TOKEN),
    "websocket": (
        f"{PODS}/web/exec?stdin=true",
        {"Sec-WebSocket-Protocol": f"base64url.bearer.authorization.k8s.io.{TOKEN}"},
        b"",
        TOKEN,
    ),
    "cookie": (PODS, {"Cookie": f"session={PASSWORD}"}, b"", PASSWORD),
    "unknown header": (PODS, {"X-Corporate-Key": PASSWORD}, b"", PASSWORD),
    "command": (f"{PODS}/web/exec?command=login&command={PASSWORD}", {}, b"", PASSWORD),
    "unknown query key": (f"{PODS}?apikey={PASSWORD}", {}, b"", PASSWORD),
    "secret as JSON": (
        "/api/v1/namespaces/shop/secrets/db",
        {"Content-Type": "application/json"},
        json.dumps({"data": {"password": base64.b64encode(PASSWORD.encode()).decode()}}).encode(),
        base64.b64encode(PASSWORD.encode()).decode(),
    ),
    "secret as protobuf": ("/api/v1/secrets", {}, b"k8s\x00\x0a" + PASSWORD.encode(), PASSWORD),
    "last applied": (
        "/api/v1/namespaces/shop/secrets",
        {},
        json.dumps({"kubectl.kubernetes.io/last-applied-configuration": PASSWORD}).encode(),
        PASSWORD,
    ),
    "token request": ("/api/v1/namespaces/shop/serviceaccounts/web/token", {}, TOKEN.encode(), TOKEN),
    "token review": ("/apis/authentication.k8s.io/v1/tokenreviews", {}, TOKEN.encode(), TOKEN),
    "custom resource": ("/apis/bitnami.com/v1/namespaces/shop/sealedsecrets", {}, PASSWORD.encode(), PASSWORD),
    "proxied request": (f"{PODS}/web/proxy/login", {}, PASSWORD.encode(), PASSWORD),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_planted_secret_is_in_no_copy(catalogue, name):
    """Whatever carries the secret, and although bodies are asked for, no byte of it is shown."""
    path, headers, body, secret = SECRETS[name]
    flow = make_flow(path, "POST", headers)
    states = shown(flow, Bodies(catalogue), request=body, response=body, Set_Cookie=PASSWORD)
    assert len(states) == 2
    for state in states:
        assert secret.encode() not in tnetstring.dumps(state)
        assert PASSWORD.encode() not in tnetstring.dumps(state)


def test_a_copy_says_what_was_asked_by_whom_and_what_came_of_it():
    """Path, caller, status and the harmless headers are in the copy."""
    flow = make_flow(f"{PODS}?watch=1", headers={"User-Agent": "kubectl/v1.36.3", "Authorization": f"Bearer {TOKEN}"})
    flow.metadata[CALLER] = Caller(namespace="shop", pod="web-1", container="app")
    state = shown(flow, status=200, Audit_Id="a-1")[-1]
    assert state["comment"] == "pod shop/web-1, app"
    assert state["request"]["path"] == f"{PODS}?watch=1".encode()
    fields = [tuple(field) for field in state["request"]["headers"]]
    assert fields == [(b"User-Agent", b"kubectl/v1.36.3"), (b"content-length", b"0")]
    assert (b"Audit-Id", b"a-1") in [tuple(field) for field in state["response"]["headers"]]
    assert state["response"]["status_code"] == 200


def test_both_copies_of_a_call_have_the_flows_own_id():
    """The second copy takes the place of the first in the list that is looked at."""
    flow = make_flow()
    assert [state["id"] for state in shown(flow)] == [flow.id, flow.id]


def test_bodies_are_left_out_unless_asked_for():
    """Without a limit, a body that is no secret is not in the copy either."""
    state = shown(make_flow(), response=b'{"kind": "PodList"}')[-1]
    assert not state["response"]["content"]


def test_a_body_is_kept_up_to_the_limit(catalogue):
    """A body that was asked for is cut, and what is passed on is whole."""
    state = shown(make_flow(method="POST"), Bodies(catalogue, 10), request=b"r" * 30, response=b"x" * 30)[-1]
    assert state["request"]["content"] == b"r" * 10
    assert state["response"]["content"] == b"x" * 10


def test_the_flow_that_is_forwarded_stays_as_it_is():
    """Making a copy takes nothing away from the request: its token still reaches the server."""
    flow = make_flow(headers={"Authorization": f"Bearer {TOKEN}"})
    shown(flow)
    assert flow.request.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_broken_call_is_shown_without_the_proxys_words():
    """An error's text may quote what was sent, so that the copy only says who broke the call off."""
    copies = []
    flow = tflow(err=True)
    flow.error.msg = PASSWORD
    trigger([Redact(copies.append)], "error", flow)
    assert PASSWORD.encode() not in tnetstring.dumps(copies[0].get_state())
    assert copies[0].error is not None


def test_an_upgraded_call_is_shown_again_when_its_connection_ends():
    """The 101 is shown at once, and the end of the shell once more."""
    copies = []
    redact, flow = Redact(copies.append), make_flow(f"{PODS}/web/exec")
    send([redact], flow, status=101)
    shown_at_first = len(copies)
    redact.upgrade_end(flow)
    assert shown_at_first >= 1
    assert len(copies) == shown_at_first + 1


def test_an_upgraded_call_goes_on_until_its_connection_ends():
    """Its 101 has no end, so that the list shows it as under way; the shell's end is its."""
    copies = []
    redact, flow = Redact(copies.append), make_flow(f"{PODS}/web/exec")
    flow.live = True
    send([redact], flow, status=101)
    flow.live = False
    redact.upgrade_end(flow)
    ends = [copy.response.timestamp_end for copy in copies]
    assert ends[:-1] == [None, None]
    assert ends[-1] > flow.response.timestamp_end


@pytest.mark.parametrize(
    ("path", "status", "marked"),
    [
        (f"{PODS}?watch=1", 200, ":eyes:"),
        (f"{PODS}?labelSelector=a&watch=true&limit=1", 200, ":eyes:"),
        ("/api/v1/watch/namespaces/shop/pods", 200, ":eyes:"),
        ("/apis/apps/v1/watch/deployments", 200, ":eyes:"),
        (f"{PODS}?watch=0", 200, ""),
        (f"{PODS}?watch=1", 403, ""),
        (f"{PODS}/watch", 200, ""),
        (f"{PODS}/web/exec", 101, ":electric_plug:"),
        (f"{PODS}/web/exec", 400, ""),
        (PODS, 200, ""),
    ],
)
def test_calls_that_go_on_are_marked(path, status, marked):
    """Watches and upgraded connections, once they have begun."""
    assert shown(make_flow(path), status=status)[-1]["marked"] == marked


def test_nothing_is_copied_that_is_not_wanted():
    """Making a copy is work; who feeds is asked first."""
    copies, wanted = [], []
    redact = Redact(copies.append, lambda flow: flow.id in wanted)
    flows = [make_flow(), make_flow()]
    wanted.append(flows[1].id)
    for flow in flows:
        send([redact], flow)
    assert {copy.id for copy in copies} == {flows[1].id}


def test_a_watch_that_was_cut_short_lasted_until_then():
    """The list shows how long; while it goes on, it shows that."""
    copies = []
    redact, flow = Redact(copies.append), make_flow(f"{PODS}?watch=1")
    flow.response = tflow(resp=True).response
    flow.response.timestamp_end = None
    redact.responseheaders(flow)
    flow.error = tflow(err=True).error
    redact.error(flow)
    assert [copy.response.timestamp_end for copy in copies] == [None, flow.error.timestamp]
