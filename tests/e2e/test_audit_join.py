"""The join with the audit log must be able to fail: every way in which a recorder can be wrong is shown to it."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from e2e.audit_events import AuditEvent, read_events
from e2e.audit_join import TOLERANCE, Agreement, Excluded, join, join_files
from e2e.recorded_calls import RecordedCall, read_calls

USER = "system:serviceaccount:shop:robot"
PODS = "/api/v1/namespaces/shop/pods"
EXEC = f"{PODS}/web/exec"


def event(**changes) -> AuditEvent:
    plain = AuditEvent(
        audit_id="a1",
        user=USER,
        verb="list",
        path=PODS,
        status=200,
        agent="kubectl/v1.36.3 (linux/amd64) kubernetes/abc",
        received=1000.0,
        ended=True,
    )
    return msgspec.structs.replace(plain, **changes)


def call(**changes) -> RecordedCall:
    plain = RecordedCall(
        verb="list", path=PODS, status=200, started=1000.0, duration=0.1, client="kubectl", audit_id="a1"
    )
    return msgspec.structs.replace(plain, **changes)


def exec_event(**changes) -> AuditEvent:
    return event(**{"verb": "get", "path": EXEC, "status": 101, **changes})


def exec_call(**changes) -> RecordedCall:
    return call(**{"verb": "get", "path": EXEC, "status": 101, "audit_id": "", **changes})


def counts(agreement: Agreement) -> tuple[int, int, int]:
    return len(agreement.missing), len(agreement.extra), len(agreement.different)


def test_a_call_and_its_event_agree():
    """One event, one call, the same id, verb, path and status: nothing is left."""
    agreement = join([event()], [call()], USER)
    assert agreement.holds
    assert (agreement.joined_by_id, agreement.joined_by_time) == (1, 0)


def test_an_event_without_a_call_is_missing():
    """A call that was lost shows, even when an equal one with another id was recorded."""
    agreement = join([event(), event(audit_id="a2")], [call()], USER)
    assert counts(agreement) == (1, 0, 0)
    assert agreement.missing[0].audit_id == "a2"
    assert not agreement.holds


def test_a_call_without_an_event_is_extra():
    """A call that the server never saw shows."""
    agreement = join([event()], [call(), call(audit_id="a2")], USER)
    assert counts(agreement) == (0, 1, 0)


def test_a_call_recorded_twice_is_extra():
    """Two calls with one Audit-Id are one too many."""
    assert counts(join([event()], [call(), call()], USER)) == (0, 1, 0)


def test_a_request_that_ended_twice_is_missing_once():
    """Two events with one Audit-Id want two calls."""
    assert counts(join([event(), event()], [call()], USER)) == (1, 0, 0)


@pytest.mark.parametrize("wrong", [{"verb": "watch"}, {"path": f"{PODS}/web"}, {"status": 404}, {"user": "ann"}])
def test_a_call_that_says_something_else_is_different(wrong):
    """Verb, path, status and user are each compared, and the table names the one that differs."""
    agreement = join([event()], [call(**wrong)], USER)
    assert counts(agreement) == (0, 0, 1)
    assert agreement.different[0].fields == list(wrong)
    assert str(next(iter(wrong.values()))) in str(agreement)


@pytest.mark.parametrize(
    ("user", "said", "right"),
    [
        (USER, {"user": USER, "service_account": "shop/robot"}, True),
        (USER, {"service_account": "shop/other"}, False),
        (USER, {"user": USER.replace("robot", "other"), "service_account": "shop/robot"}, False),
        ("ann", {"user": "ann"}, True),
        ("ann", {"user": "ann", "service_account": "shop/robot"}, False),
    ],
)
def test_who_made_a_call_is_compared_as_user_and_as_service_account(user, said, right):
    """Both must be the ones of the audit log; a user who is no service account must not be said to be one."""
    agreement = join([event(user=user)], [call(**said)], user)
    assert agreement.holds == right
    assert agreement.named == right


def test_who_made_a_call_need_not_be_known():
    """A client certificate that only the server sees names nobody here; such calls are counted apart."""
    agreement = join([event(), event(audit_id="a2")], [call(), call(audit_id="a2", user=USER)], USER)
    assert agreement.holds
    assert (agreement.joined_by_id, agreement.named) == (2, 1)


def test_an_upgrade_of_another_user_is_different():
    """What is joined by time is compared like everything else."""
    agreement = join([exec_event()], [exec_call(user="ann")], USER)
    assert counts(agreement) == (0, 0, 1)
    assert agreement.joined_by_time == 0


def test_calls_and_events_that_are_swapped_do_not_cancel_out():
    """Equal numbers on both sides do not hide that they are not the same."""
    events = [event(), event(audit_id="a2", path=f"{PODS}/web", verb="get")]
    calls = [call(audit_id="a2"), call(path=f"{PODS}/web", verb="get")]
    assert counts(join(events, calls, USER)) == (0, 0, 2)


def test_other_users_events_are_not_wanted():
    """The controllers' own calls are in the log, not in the recording."""
    agreement = join([event(), event(audit_id="a2", user="system:kube-scheduler")], [call()], USER)
    assert agreement.holds
    assert agreement.events == 1


def test_a_call_that_the_server_took_for_another_users_is_different():
    """A mixed-up identity is found although verb, path and status are right."""
    agreement = join([event(user="system:anonymous")], [call()], USER)
    assert counts(agreement) == (0, 0, 1)
    assert "system:anonymous" in str(agreement)


def test_upgrades_are_joined_without_an_id():
    """Answers 101 have no Audit-Id: path, verb, client and time do."""
    agreement = join([exec_event()], [exec_call()], USER)
    assert agreement.holds
    assert (agreement.joined_by_id, agreement.joined_by_time) == (0, 1)


def test_each_upgrade_needs_an_event_of_its_own():
    """Three shells in one pod are three events; a fourth is extra, and two of three are one missing."""
    events = [exec_event(audit_id=f"a{n}", received=1000.0 + n) for n in range(3)]
    calls = [exec_call(started=1000.0 + n) for n in range(4)]
    assert counts(join(events, calls, USER)) == (0, 1, 0)
    assert counts(join(events, calls[:2], USER)) == (1, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"verb": "create"}, {"path": f"{PODS}/db/exec"}, {"client": "helm"}, {"started": 1000.0 + 2 * TOLERANCE}],
)
def test_an_upgrade_of_another_kind_does_not_stand_in(wrong):
    """Verb, path, client and time must all fit."""
    assert counts(join([exec_event()], [exec_call(**wrong)], USER)) == (1, 1, 0)


def test_an_upgrade_that_was_refused_does_not_stand_in_for_one_that_was_not():
    """A 403 for exec carries an id, so an event 101 without a call 101 is missing."""
    assert counts(join([exec_event()], [exec_call(status=403, audit_id="a9")], USER)) == (1, 1, 0)


def test_an_answer_without_an_id_is_extra():
    """Only upgrades may come without an Audit-Id: a plain 200 without one did not come from the API server."""
    assert counts(join([], [call(audit_id="")], USER)) == (0, 1, 0)


def test_a_client_that_went_away_excuses_its_own_event_only():
    """No answer, no id: the one event that fits goes with it, an equal one stays missing."""
    gone = call(audit_id="", status=0, error="client-disconnected")
    agreement = join([event(), event(audit_id="a2")], [gone], USER)
    assert counts(agreement) == (1, 0, 0)
    assert agreement.excluded[Excluded.CLIENT_GONE] == 1


def test_a_client_that_went_away_before_the_server_saw_it_is_left_out():
    """A call without an answer needs no event."""
    agreement = join([], [call(audit_id="", status=0, error="client-disconnected")], USER)
    assert agreement.holds
    assert agreement.excluded[Excluded.CLIENT_GONE] == 1


def test_a_client_that_went_away_after_the_answer_had_begun_is_joined():
    """The id is known by then, so nothing is excused."""
    agreement = join([event(verb="watch")], [call(verb="watch", error="client-disconnected")], USER)
    assert (agreement.joined_by_id, sum(agreement.excluded.values())) == (1, 0)


def test_answers_made_by_the_proxy_are_left_out_by_name():
    """A 503 of our own has no event."""
    agreement = join([], [call(audit_id="", status=503, error="upstream-error")], USER)
    assert agreement.holds
    assert agreement.excluded[Excluded.BY_PROXY] == 1
    assert agreement.excluded[Excluded.NOT_AUDITED] == 0


def test_refusals_of_the_http_server_are_left_out_by_name():
    """A 431 for too large headers comes from below the API server's audit."""
    agreement = join([], [call(audit_id="", status=431)], USER)
    assert agreement.holds
    assert agreement.excluded[Excluded.NOT_AUDITED] == 1


def test_a_server_that_shuts_down_refuses_before_its_audit():
    """Its 503 has an Audit-Id and no event; a 500 of that kind would be extra."""
    assert join([], [call(status=503)], USER).excluded[Excluded.NOT_AUDITED] == 1
    assert counts(join([], [call(status=500)], USER)) == (0, 1, 0)


def test_an_open_watch_is_left_out_by_name():
    """A watch that has not ended when the log is read need not have been recorded yet."""
    agreement = join([event(verb="watch", ended=False)], [], USER)
    assert agreement.holds
    assert agreement.excluded[Excluded.STILL_OPEN] == 1


def test_an_open_watch_that_was_recorded_is_joined():
    """What can be joined is joined, whether it has ended or not."""
    assert join([event(verb="watch", ended=False)], [call(verb="watch")], USER).joined_by_id == 1


def test_what_apisnoop_asks_for_itself_is_left_out_by_name():
    """Its question for the server's version comes from no client."""
    agreement = join([event(path="/version", verb="get", agent="apisnoop/0.1.0")], [], USER)
    assert agreement.holds
    assert agreement.excluded[Excluded.OWN] == 1


def test_the_table_shows_the_figures_and_the_first_faults():
    """A person sees how many, and which."""
    agreement = join([event(), event(audit_id="lost")], [call(), call(audit_id="made-up")], USER)
    table = str(agreement)
    assert "missing: list /api/v1/namespaces/shop/pods 200 kubectl/v1.36.3" in table
    assert "lost" in table
    assert "made-up" in table
    assert all(why in table for why in Excluded)


def test_thousands_of_calls_join_in_any_order():
    """The order of neither side matters."""
    events = [event(audit_id=f"a{n}", path=f"{PODS}/p{n}") for n in range(5000)]
    calls = [call(audit_id=f"a{n}", path=f"{PODS}/p{n}") for n in reversed(range(5000))]
    assert join(events, calls, USER).joined_by_id == 5000
    assert replace(join(events, calls[1:], USER), calls=0).missing == (events[-1],)


# Reading the two files

AUDIT_LINE = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "a1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/a%20b/pods?watch=true&resourceVersion=7",
    "verb": "watch",
    "user": {"username": USER, "groups": ["system:serviceaccounts"]},
    "sourceIPs": ["127.0.0.1"],
    "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/abc",
    "responseStatus": {"metadata": {}, "code": 200},
    "requestReceivedTimestamp": "2026-01-01T00:00:00.250000Z",
    "stageTimestamp": "2026-01-01T00:00:09.000000Z",
}
CALL_LINE = {
    "time": "2026-01-01T00:00:00.240000Z",
    "method": "GET",
    "path": "/api/v1/namespaces/a%20b/pods?watch=true",
    "status": 200,
    "duration": 9.0,
    "verb": "watch",
    "audit_id": "a1",
    "caller": {"user": USER, "service_account": "shop/robot", "client": "kubectl", "client_version": "v1.36.3"},
}


def audit_line(**changes) -> bytes:
    return json.dumps({**AUDIT_LINE, **changes}).encode()


def test_an_audit_line_is_read():
    """Time, user, path without its query, and status are taken as they are."""
    (found,) = read_events([audit_line()])
    assert (found.path, found.status, found.user, found.ended) == ("/api/v1/namespaces/a b/pods", 200, USER, True)
    assert found.received == pytest.approx(1767225600.25)


def test_a_call_in_anothers_name_is_the_others():
    """kubectl --as: the log says who asked and in whose name, and the latter is who the call is allowed to."""
    (found,) = read_events([audit_line(impersonatedUser={"username": "ann", "groups": ["staff"]})])
    assert found.user == "ann"


def test_the_stages_of_one_request_are_one_event():
    """A watch is logged when it begins and when it ends: the end counts."""
    begun = audit_line(stage="ResponseStarted", responseStatus={"code": 200})
    (found,) = read_events([begun, audit_line(responseStatus={"code": 410})])
    assert (found.status, found.ended) == (410, True)


@pytest.mark.parametrize("stage", ["RequestReceived", "ResponseStarted"])
def test_a_request_without_an_end_is_open(stage):
    """The log of a running server holds beginnings only."""
    assert [found.ended for found in read_events([audit_line(stage=stage)])] == [False]


def test_a_panic_is_an_end():
    """A request whose handler panicked is over."""
    (found,) = read_events([audit_line(stage="Panic", responseStatus={"code": 500})])
    assert (found.status, found.ended) == (500, True)


def test_two_ends_of_one_request_stay_two():
    """Nothing is folded away that the server said twice."""
    assert len(read_events([audit_line(), audit_line()])) == 2


@pytest.mark.parametrize("bad", [b"\0\1", b"{}", b'{"auditID": "a1"', b"[]"])
def test_a_line_that_is_no_event_is_an_error(bad):
    """A damaged ground truth must not pass for a small one."""
    with pytest.raises(msgspec.DecodeError):
        read_events([bad])


def test_a_line_of_calls_is_read():
    """The path loses its query and its encoding; client and user are the caller's."""
    (found,) = read_calls([json.dumps(CALL_LINE).encode()])
    assert (found.path, found.client, found.audit_id) == ("/api/v1/namespaces/a b/pods", "kubectl", "a1")
    assert (found.user, found.service_account) == (USER, "shop/robot")
    assert found.started == pytest.approx(1767225600.24)


def test_two_files_are_joined(tmp_path):
    """From the files on disk to the answer."""
    (tmp_path / "audit.log").write_bytes(audit_line() + b"\n")
    (tmp_path / "calls.jsonl").write_text(json.dumps(CALL_LINE) + "\n")
    assert join_files(tmp_path / "audit.log", tmp_path / "calls.jsonl", USER).holds
