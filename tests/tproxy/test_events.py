"""Events on pods."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from apisnoop.node.wanted import Marks
from apisnoop_tproxy import events
from apisnoop_tproxy.api import RefusedError
from apisnoop_tproxy.events import Events
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Cause, Code, Condition, State
from tests.looped import eventually, in_loop

POD = PodFacts(uid="u1", namespace="shop", name="web-0", marks=Marks("pod web-0"))
OTHER = PodFacts(uid="u2", namespace="shop", name="web-1", marks=Marks("pod web-1"))
ON = State(Condition.INTERCEPTING, Cause(Code.WANTED, "apisnoop=true on pod web-0"), 1.0)
NOT = State(Condition.SKIPPED, Cause(Code.HOST_NETWORK, "it uses the node's network"), 1.0)
DRAINING = State(Condition.DRAINING, Cause(Code.NOT_WANTED, "nothing asks for it"), 1.0)
OFF = State(Condition.OFF, Cause(Code.NOT_WANTED, "nothing asks for it"), 1.0)
ENDED = State(Condition.OFF, Cause(Code.POD_ENDED, "pod ended"), 1.0)
EDITED = State(Condition.INTERCEPTING, Cause(Code.RULE_CHANGED, "its rule was changed"), 1.0)
MISSING = State(Condition.WAITING, Cause(Code.PROXY_MISSING, "the node's proxy is not there"), 1.0)


class Sender:
    """Remembers what was sent, and refuses what it is told to."""

    def __init__(self):
        self.created, self.patched = [], []
        self.refusals = {}

    async def create(self, path, thing):
        if "create" in self.refusals:
            raise RefusedError(self.refusals.pop("create"), path)
        self.created.append((path, thing))

    async def patch(self, path, change):
        if "patch" in self.refusals:
            raise RefusedError(self.refusals.pop("patch"), path)
        self.patched.append((path, change))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Let states settle fast."""
    monkeypatch.setattr(events, "SETTLED_SECONDS", 0.02)
    monkeypatch.setattr(events, "WAITED_SECONDS", 0.2)
    monkeypatch.setattr(events, "_PACE_SECONDS", 0)


@asynccontextmanager
async def writing(existing=0):
    """Run a writer and what it writes to."""
    sender = Sender()
    found = Events(sender, "node1", lambda _: existing)
    task = asyncio.create_task(found.run())
    try:
        yield found, sender
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@in_loop
async def test_a_recorded_pod_gets_an_event():
    """It names the pod beyond doubt, says why, and how many connections are older."""
    async with writing(existing=2) as (found, sender):
        found.tell(POD, ON)
        await eventually(lambda: sender.created)
        path, event = sender.created[0]
        assert path == "/api/v1/namespaces/shop/events"
        assert event["involvedObject"]["uid"] == "u1"
        assert (event["type"], event["reason"], event["count"]) == ("Normal", "ApisnoopIntercepting", 1)
        assert "apisnoop=true on pod web-0; 2 of its API connections are older" in event["message"]
        assert event["source"] == {"component": "apisnoop-agent", "host": "node1"}


@in_loop
async def test_what_flickers_is_not_told():
    """Of states that follow one another quickly only the last is told, once; and the same again not at all."""
    async with writing() as (found, sender):
        for state in (MISSING, ON, NOT, ON):
            found.tell(POD, state)
        await eventually(lambda: sender.created)
        found.tell(POD, ON)
        found.tell(OTHER, NOT)
        await eventually(lambda: len(sender.created) == 2)
        assert [event["reason"] for _, event in sender.created] == ["ApisnoopIntercepting", "ApisnoopNotIntercepting"]


@in_loop
async def test_what_comes_again_is_counted():
    """Switched off and on again it is the same two Events; one that has expired is made anew."""
    async with writing() as (found, sender):
        for number, state in enumerate((ON, DRAINING, ON), 1):
            found.tell(POD, state)
            await eventually(lambda number=number: len(sender.created) + len(sender.patched) == number)
        found.tell(POD, OFF)
        await eventually(lambda: len(sender.patched) == 2)
        first, stopped = (event["metadata"]["name"] for _, event in sender.created)
        assert [path.rpartition("/")[2] for path, _ in sender.patched] == [first, stopped]
        assert [change["count"] for _, change in sender.patched] == [2, 2]
        sender.refusals = {"patch": 404}
        found.tell(POD, ON)
        await eventually(lambda: len(sender.created) == 3)
        assert sender.created[2][1]["metadata"]["name"] != first


@in_loop
async def test_waiting_is_told_when_it_lasts():
    """Waiting for the proxy is how everything begins; only a pod that waits longer has a warning."""
    async with writing() as (found, sender):
        found.tell(POD, MISSING)
        found.tell(OTHER, NOT)
        await eventually(lambda: len(sender.created) == 2)
        assert [event["involvedObject"]["name"] for _, event in sender.created] == ["web-1", "web-0"]
        assert sender.created[1][1]["type"] == "Warning"


@in_loop
async def test_some_things_are_not_told():
    """Neither that a pod is off which never was on, nor the end of a pod, nor that a newer agent has it."""
    async with writing() as (found, sender):
        found.tell(POD, OFF)
        found.tell(OTHER, ON)
        found.tell(OTHER, ENDED)
        superseded = State(Condition.DRAINING, Cause(Code.SUPERSEDED, "a newer node agent has it"), 1.0)
        found.tell(POD, superseded)
        found.tell(OTHER, NOT)
        await eventually(lambda: sender.created)
        assert [event["reason"] for _, event in sender.created] == ["ApisnoopNotIntercepting"]


@in_loop
async def test_a_refusal_stops_nothing():
    """A namespace that is being deleted takes no Events; the next pod's is written all the same."""
    async with writing() as (found, sender):
        sender.refusals = {"create": 403}
        found.tell(POD, ON)
        await eventually(lambda: not sender.refusals)
        found.tell(OTHER, ON)
        await eventually(lambda: sender.created)
        assert sender.created[0][1]["involvedObject"]["name"] == "web-1"


@in_loop
async def test_an_incident_is_told_beside_how_it_stands(monkeypatch):
    """It has an Event of its own, at once, and the pod's state has its own as ever."""
    monkeypatch.setattr(events, "SETTLED_SECONDS", 0.1)
    async with writing() as (found, sender):
        found.tell(POD, ON)
        found.tell(POD, EDITED)
        await eventually(lambda: len(sender.created) == 2)
        (_, incident), (_, state) = sender.created
        assert (incident["type"], incident["reason"]) == ("Warning", "ApisnoopDisturbed")
        assert incident["message"].endswith("disturbs the recording of its API calls: its rule was changed")
        assert state["reason"] == "ApisnoopIntercepting"


@in_loop
async def test_an_incident_is_not_told_again_for_a_while(monkeypatch):
    """A pod's programs can make many: after the first the next of its kind waits, and is the same Event, counted on."""
    monkeypatch.setattr(events, "INCIDENT_SECONDS", 0.2)
    async with writing() as (found, sender):
        for _ in range(5):
            found.tell(POD, EDITED)
        await eventually(lambda: sender.created)
        for _ in range(5):
            found.tell(POD, EDITED)
        assert sender.patched == []
        await eventually(lambda: sender.patched)
        assert sender.patched[0][1]["count"] == 2
        found.tell(POD, EDITED)
        found.tell(POD, ENDED)
        found.tell(OTHER, EDITED)
        await eventually(lambda: len(sender.created) == 2)
        assert len(sender.patched) == 1
        assert (found._due, list(found._happened)) == ({}, ["u2"])
