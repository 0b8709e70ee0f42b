"""Importing inputs that are read by records: JSON over several lines, HAR, and what readers read."""

import gzip
import json
from types import SimpleNamespace

import pytest

from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import Loss
from apisnoop.store import queries
from tests.calls.sample import event
from tests.store.contents import calls_in
from tests.store.importing.inputs import AT_ONCE, har, run


def pretty(*numbers):
    return json.dumps({"kind": "EventList", "items": [event(number) for number in numbers]}, indent=2).encode()


@pytest.mark.parametrize(("make", "name"), [(pretty, "audit"), (har, "har")])
def test_documents_count_once_too(store, write, make, name):
    """JSON over several lines is read by records; again it adds nothing, grown only what is new."""
    assert run(store, write(make(*range(20))), pace=AT_ONCE).calls == 20
    assert [row.format for row in queries.imports(store.connection)] == [name]
    assert run(store, write(gzip.compress(make(*range(20))), "x.gz")).calls == 0
    assert run(store, write(make(*range(25)))).calls == 5
    assert run(store, write(make(*range(7)))).calls == 0
    assert run(store, write(make(*range(30, 32)), "short")).calls == 2
    assert run(store, write(make(*range(30, 36)), "short")).calls == 4
    changed = run(store, write(make(*range(5), *range(40, 60)), "other"))
    assert (changed.calls, changed.known) == (25, False)
    assert calls_in(store) == 56


def test_a_document_that_is_cut_off_keeps_what_it_had(store, write):
    """The records before the end are counted, and the rest once it is there."""
    text = pretty(*range(20))
    outcome = run(store, write(text[: len(text) // 2]))
    assert 5 < outcome.calls < 15
    assert outcome.problem == "it ends in the middle of a record"
    assert run(store, write(text)).calls == 20 - outcome.calls


def test_a_har_of_a_browser_leaves_out_other_sites(store, write):
    """What is not Kubernetes is counted as such, with the entry that was first."""
    text = har(*range(3)).replace(b"https://k/api/v1/pods?n=1", b"https://example.com/app.js")
    outcome = run(store, write(text))
    assert (outcome.calls, outcome.bad) == (2, {"not-kubernetes": 1})
    assert outcome.examples["not-kubernetes"].startswith("entry 2, ")


class Numbers:
    """A reader of inputs that hold one digit a record; a dash is damage."""

    @staticmethod
    def recognises(head):
        return head[:1].isdigit()

    @staticmethod
    def read(stream, matcher):
        while digit := stream.read(1):
            if digit == b"-":
                raise ValueError("a dash stands where a digit should be")
            if digit == b"0":
                yield Loss("numbers", "zero")
                continue
            match = matcher.match("GET", f"/api/v1/namespaces/n{digit.decode()}/pods")
            yield Call(match, Caller(), "GET", "/", 200, started=float(ord(digit)), duration=0.0)


@pytest.fixture
def numbers(monkeypatch):
    point = SimpleNamespace(name="numbers", load=lambda: Numbers)
    monkeypatch.setattr(
        "apisnoop.calls.reader.entry_points",
        lambda *, group, name="numbers": [point] if group and name == "numbers" else [],
    )


def test_a_reader_of_a_component_is_used(store, write, numbers):
    """Its calls and losses are counted, once each, and damage ends it with its own words."""
    outcome = run(store, write(b"12030"))
    assert (outcome.format, outcome.lines, outcome.calls, outcome.bad) == ("numbers", 5, 3, {"zero": 2})
    outcome = run(store, write(b"1203045-9"))
    assert (outcome.lines, outcome.calls, outcome.problem) == (2, 2, "a dash stands where a digit should be")
    assert run(store, write(gzip.compress(b"1203045-9"), "n.gz")).lines == 0
    assert calls_in(store) == 5
