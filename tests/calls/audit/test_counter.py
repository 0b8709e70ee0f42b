"""Counting audit events."""

import json

import pytest

from apisnoop.calls.audit.counter import TOO_LONG, AuditCounter
from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON
from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from tests.calls.sample import CATALOGUE, event, line, log, moment

WEB = Caller(
    node="node-1",
    namespace="shop",
    pod="web-7d4b9-x2x4p",
    pod_uid="6f1c0a5e-9a39-4f0e-8a51-3a0a7f0a9d11",
    service_account="shop/web",
    user="system:serviceaccount:shop:web",
    client="kubectl",
    client_version="v1.36.3",
)


def counted(*blocks):
    counter = AuditCounter(CATALOGUE)
    for number, block in enumerate(blocks):
        counter.count_block(block, number)
    return counter.take()


def only(found):
    ((key, tally),) = found.batch.tallies()
    return key, tally


def test_an_event_becomes_a_call():
    """Operation, caller, status, time, duration and name of an event are what the tally says."""
    key, tally = only(counted(line(5)))
    assert key.target.operation.id == "readCoreV1NamespacedPod"
    assert (key.caller, key.verb, key.namespace, key.status) == (WEB, "get", "shop", 200)
    assert (tally.count, tally.first, tally.last) == (1, 1_780_304_405.0, 1_780_304_405.0)
    assert sum(tally.durations) == 1
    assert tally.durations[(250_000).bit_length()] == 1
    assert tally.names == {"web-1": 1}


def test_the_credential_id_does_not_make_another_caller():
    """Tokens are renewed every hour; the caller stays the same, and the id of the credential is not kept."""
    renewed = event(1)["user"]
    renewed["extra"] = renewed["extra"] | {"authentication.kubernetes.io/credential-id": ["JTI=another"]}
    found = counted(line(0) + line(1, user=renewed))
    assert only(found)[1].count == 2
    assert "JTI" not in repr(list(found.batch.tallies()))


def test_an_impersonated_user_is_the_caller():
    """Rights are needed by who is acted as, not by who acts."""
    key, _ = only(counted(line(0, impersonatedUser={"username": "bob"})))
    assert key.caller.user == "bob"
    assert key.caller.pod == ""


@pytest.mark.parametrize("user", ["alice", None, 5, [], {"username": 7}, {"extra": []}])
def test_an_event_with_an_odd_user_counts_as_unknown(user):
    """Who called is then not known; that something was called is."""
    key, tally = only(counted(line(0, user=user)))
    assert (key.caller.user, key.caller.client, tally.count) == ("", "kubectl", 1)


def test_only_an_end_is_a_call():
    """Beginnings wait; ResponseComplete and Panic count."""
    found = counted(
        line(0, stage="RequestReceived")
        + line(0)
        + line(1, stage="RequestReceived")
        + line(1, stage="ResponseStarted", verb="watch")
        + line(2, stage="Panic", responseStatus={"code": 500})
    )
    assert found.batch.calls == 2
    assert [(begun.verb, begun.stage) for begun in found.stretch.begun.values()] == [("watch", "ResponseStarted")]
    assert found.stretch.ended.tolist() == [hash(event(number)["auditID"]) for number in (0, 2)]


WATCH = {
    "verb": "watch",
    "requestURI": "/api/v1/namespaces/shop/pods?watch=1&fieldSelector=metadata.name%3Dweb-1",
    "stage": "ResponseStarted",
}


def begun_by(*blocks):
    return list(counted(*blocks).stretch.begun.values())


def test_a_request_being_answered_says_who_does_what():
    """An open watch needs a right as much as one that has ended does, whatever is read of it afterwards."""
    (begun,) = begun_by(line(1, **WATCH), line(1, **WATCH | {"stage": "RequestReceived"}))
    assert begun.stage == "ResponseStarted"
    assert begun.access.target.operation.id == "listCoreV1NamespacedPod"
    assert (begun.access.verb, begun.access.namespace, begun.access.name) == ("watch", "shop", "web-1")
    assert begun.access.caller == WEB


@pytest.mark.parametrize(
    "changes",
    [
        {"responseStatus": {"code": 403}},
        {"responseStatus": {"code": 500}},
        {"responseStatus": None},
        {"stage": "RequestReceived"},
    ],
)
def test_a_request_without_a_good_answer_needs_nothing_yet(changes):
    """A refusal is no right, and what was only asked may still be refused."""
    assert [begun.access for begun in begun_by(line(1, **WATCH | changes))] == [None]


def test_what_a_request_names_is_bounded():
    """A path may be as long as a client likes."""
    uri = f"/api/v1/namespaces/{'n' * 9999}/pods/{'p' * 9999}/log?follow=true"
    (begun,) = begun_by(line(1, stage="ResponseStarted", requestURI=uri))
    assert (begun.access.namespace, begun.access.name) == ("(other)", "(other)")


def test_beginnings_count_towards_what_is_held():
    """A log that only begins requests makes its reader commit, as one of many tallies does."""
    counter = AuditCounter(CATALOGUE)
    counter.count_block(log(range(5), stage="RequestReceived") + log(range(10, 12)))
    assert counter.size == 6
    counter.take()
    assert counter.size == 0


def test_a_beginning_is_bounded():
    """Clients choose audit id and method; neither fills the memory or the screen."""
    found = counted(line(0, stage="RequestReceived", auditID="i" * 9999, verb="v" * 9999))
    assert [(len(begun.audit_id), begun.verb) for begun in found.stretch.begun.values()] == [(128, "(other)")]


def test_a_request_that_ends_in_another_block_is_told_apart():
    """A block says which ends it has no beginning for."""
    found = counted(line(0, stage="RequestReceived"), line(0))
    assert not found.stretch.begun
    assert counted(line(0)).stretch.ended.tolist() == [hash(event(0)["auditID"])]


def test_an_event_without_times_still_counts():
    """Old and converted events have one time, or none; the duration is then unknown."""
    old = line(0, requestReceivedTimestamp=None, stageTimestamp=None, timestamp=moment(7))
    bare = line(1, requestReceivedTimestamp=None, stageTimestamp=None)
    odd = line(2, requestReceivedTimestamp=None, stageTimestamp=moment(9), timestamp=5)
    found = counted(old + bare + odd)
    tallies = sorted((key.hour, tally.first, tally.count, sum(tally.durations)) for key, tally in found.batch.tallies())
    assert tallies == [(0, 0.0, 1, 0), (494529, 1_780_304_407.0, 2, 0)]


def test_an_event_without_a_status_has_none():
    """No answer is status 0."""
    assert only(counted(line(0, responseStatus=None)))[0].status == 0


def test_a_time_before_the_epoch_counts_at_the_epoch():
    """A clock that was never set loses no call."""
    key, tally = only(counted(line(0, requestReceivedTimestamp="0001-01-01T00:00:00Z")))
    assert (key.hour, tally.first, tally.count) == (0, 0.0, 1)


def test_bad_lines_do_not_stop_the_rest():
    """What cannot be counted is counted as such, with where the first of its kind is."""
    found = counted(
        log(range(3)),
        line(3)
        + b"garbage with secret password hunter2\n\n"
        + b'{"hello":"world"}\n'
        + line(4)[:-30]
        + b"\n"
        + line(5),
    )
    assert found.batch.calls == 5
    assert found.lines == {0: 3, 1: 6}
    assert found.bad == {NOT_JSON: 2, NOT_AUDIT: 1}
    assert (found.examples[NOT_JSON].block, found.examples[NOT_JSON].line) == (1, 1)
    assert (found.examples[NOT_AUDIT].block, found.examples[NOT_AUDIT].line) == (1, 3)
    assert "hunter2" not in found.examples[NOT_JSON].shape


def test_an_object_that_is_no_event_is_found_among_good_ones():
    """A block that decodes as a whole may still hold other programs' objects."""
    found = counted(line(0) + b'{"hello":"world"}\n' + line(1))
    assert (found.batch.calls, found.bad) == (2, {NOT_AUDIT: 1})
    assert (found.examples[NOT_AUDIT].line, found.examples[NOT_AUDIT].size) == (1, 17)


def test_wrapped_and_bare_events_mix():
    """A log of several sources is read in one go."""
    wrapped = json.dumps({"message": json.dumps(event(1))}).encode() + b"\n"
    assert counted(line(0) + wrapped + line(2)).batch.calls == 3


def test_a_line_without_an_end_counts_if_it_is_whole():
    """The last line of a file may lack its line feed, or its second half."""
    counter = AuditCounter(CATALOGUE)
    assert counter.count_last_line(line(0)[:-1], 0)
    assert not counter.count_last_line(line(1)[:-5], 0)
    found = counter.take()
    assert (found.batch.calls, found.lines, found.bad) == (1, {0: 1}, {})


def test_an_event_seen_before_does_not_count_but_ends():
    """With ids remembered, a second copy of an event is no second call, but still the end of its request."""
    seen = {event(1)["auditID"]}
    counter = AuditCounter(CATALOGUE, lambda audit_id: audit_id not in seen)
    counter.count_block(line(1, stage="RequestReceived") + line(0) + line(1))
    found = counter.take()
    assert found.batch.calls == 1
    assert not found.stretch.begun


def test_calls_of_other_readers_are_records_too():
    """Calls and reasons of a reader are counted beside events, each a record."""
    counter = AuditCounter(CATALOGUE, lambda audit_id: audit_id != "seen")
    match = CATALOGUE.match("GET", "/api/v1/pods")
    for audit_id in ("new", "seen"):
        counter.count_call(
            Call(
                match=match, caller=WEB, method="GET", path="", status=200, started=1.0, duration=1.0, audit_id=audit_id
            )
        )
    counter.note_record("not-http", b"x")
    counter.skip_line(5)
    found = counter.take()
    assert (found.batch.calls, found.lines, found.bad) == (1, {0: 4}, {"not-http": 1, TOO_LONG: 1})


def test_taking_begins_anew():
    """What was taken is not counted again, and callers are known to the new batch."""
    counter = AuditCounter(CATALOGUE)
    counter.count_block(line(0))
    first = counter.take()
    counter.count_block(line(1))
    assert (first.batch.calls, counter.take().batch.calls, counter.take().batch.calls) == (1, 1, 0)
