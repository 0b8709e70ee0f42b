"""Who makes a call: the socket is believed at once, the token when the server has taken it."""

import pytest
from mitmproxy.certs import Cert

from apisnoop.calls.caller import Caller
from apisnoop_addons.identify import CALLER, KNOWN_CALLERS, Identify
from tests.addons.flows import accepted_by, make_flow, send, trigger
from tests.addons.run.pki import Authority
from tests.addons.test_claims import ACCOUNT, BOUND, token

AGENT = "web/v1.2 (linux/amd64) kubernetes/abc/leader-election"
PROGRAM = {"client": "web", "client_version": "v1.2", "component": "leader-election"}
HEADERS = {"User-Agent": AGENT, "Authorization": f"Bearer {token(BOUND)}"}
CLAIMED = {
    "namespace": "shop",
    "service_account": "shop/web",
    "user": ACCOUNT,
    "pod": "web-1",
    "pod_uid": "p",
    "node": "node-1",
}


def test_before_the_answer_only_the_program_is_known():
    """A token that the server has not taken proves nothing."""
    flow = make_flow(headers=HEADERS)
    trigger([Identify()], "requestheaders", flow)
    assert flow.metadata[CALLER] == Caller(**PROGRAM)


@pytest.mark.parametrize("status", [200, 101, 403, 404, 500])
def test_an_answer_proves_the_token(status):
    """Also one that forbids: the server knew whom it refused."""
    flow = make_flow(headers=HEADERS)
    send([Identify()], flow, status=status)
    assert flow.metadata[CALLER] == Caller(**PROGRAM, **CLAIMED)


def test_a_token_that_is_refused_names_nobody():
    """401: whoever made it up is not that account."""
    flow = make_flow(headers=HEADERS)
    send([Identify()], flow, status=401)
    assert flow.metadata[CALLER] == Caller(**PROGRAM)


def test_the_sockets_word_stands_against_the_tokens():
    """A pod that uses another pod's token is still the pod whose connection it is."""
    known = Caller(namespace="own", pod="own-1", pod_uid="u", node="node-9", container="app", workload="deployment/own")
    flow = accepted_by(make_flow(headers=HEADERS), known)
    send([Identify()], flow)
    assert flow.metadata[CALLER] == Caller(
        namespace="own",
        pod="own-1",
        pod_uid="u",
        node="node-9",
        container="app",
        workload="deployment/own",
        service_account="shop/web",
        user=ACCOUNT,
        **PROGRAM,
    )


@pytest.mark.parametrize(("status", "user"), [(200, "bob"), (404, "bob"), (403, ""), (401, "")])
def test_a_call_in_anothers_name_is_theirs_once_it_is_allowed(status, user):
    """As in the audit log; a refusal may be of the name itself, and then the call is nobody's."""
    flow = make_flow(headers={**HEADERS, "Impersonate-User": "bob"})
    send([Identify()], flow, status=status)
    assert flow.metadata[CALLER] == Caller(**PROGRAM, user=user)


def test_a_pod_that_acts_in_anothers_name_is_still_the_pod():
    """Its own service account is not who acts."""
    flow = make_flow(headers={**HEADERS, "Impersonate-User": ACCOUNT})
    accepted_by(flow, Caller(namespace="own", pod="own-1", service_account="own/default"))
    send([Identify()], flow)
    assert flow.metadata[CALLER] == Caller(
        namespace="own", pod="own-1", service_account="shop/web", user=ACCOUNT, **PROGRAM
    )


def test_a_certificate_names_its_user():
    """The client has shown that it holds the key; the server has taken it when it answers."""
    flow = accepted_by(make_flow())
    flow.client_conn.certificate_list = [Cert.from_pem(Authority().issue("ann").certificate)]
    trigger([Identify()], "requestheaders", flow)
    assert flow.metadata[CALLER].user == ""
    send([Identify()], flow)
    assert flow.metadata[CALLER].user == "ann"


def test_nothing_is_made_up_for_a_call_that_says_nothing():
    """Unknown is a value of its own."""
    flow = make_flow()
    send([Identify()], flow)
    assert flow.metadata[CALLER] == Caller()


def test_the_same_caller_is_the_same_object():
    """Callers are keys of every tally: an equal one would have to be compared with each call."""
    identify, flows = Identify(), [make_flow(headers=HEADERS) for _ in range(2)]
    for flow in flows:
        send([identify], flow)
    first, second = (flow.metadata[CALLER] for flow in flows)
    assert first is second


def test_no_token_is_kept():
    """Neither beside the flow nor in what is remembered of callers."""
    identify, flow = Identify(), make_flow(headers=HEADERS)
    send([identify], flow)
    secret = HEADERS["Authorization"].partition(" ")[2]
    assert secret not in repr(flow.metadata)
    assert secret not in repr(vars(identify))


def test_callers_that_are_remembered_are_bounded_and_the_rest_are_still_right():
    """A client that changes its name with every call costs time, not memory."""
    identify = Identify()
    for number in range(KNOWN_CALLERS + 10):
        trigger([identify], "requestheaders", make_flow(headers={"User-Agent": f"agent-{number}/1"}))
    assert len(identify._known) == KNOWN_CALLERS
    flow = make_flow(headers={"User-Agent": "agent-0/1"})
    trigger([identify], "requestheaders", flow)
    assert flow.metadata[CALLER].client == "agent-0"
