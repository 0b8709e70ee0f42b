"""Streams of calls from nodes, and how they are shown."""

import contextlib
import itertools
import queue
import threading
from http.client import IncompleteRead

import pytest

from apisnoop.calls.caller import Caller
from apisnoop.cli import streams as module
from apisnoop.cli.live_calls import LiveCalls
from apisnoop.cli.port_forward import ForwardError
from apisnoop.cli.streams import Line, Lost, Opened, Said, Streams, lines_of
from apisnoop.fleet.call_filter import CallFilter
from tests.fleet.things import agent


class FakeNode:
    """Answers one request after another with what a test has put there: chunks, or an exception."""

    def __init__(self):
        self.answers = queue.Queue()

    @contextlib.contextmanager
    def http_get(self, *_, **__):
        """Stand in for the request."""
        try:
            given = self.answers.get(timeout=0.2)
        except queue.Empty:
            given = ForwardError("a test has ended")
        if isinstance(given, Exception):
            raise given
        yield self._Answer(given)

    class _Answer:
        def __init__(self, chunks):
            self._chunks = iter(chunks)

        def read1(self, _):
            """Give the next chunk."""
            chunk = next(self._chunks, b"")
            if isinstance(chunk, Exception):
                raise chunk
            return chunk


@pytest.fixture
def node(monkeypatch):
    """A node whose answers a test gives."""
    found = FakeNode()
    monkeypatch.setattr(module, "http_get", found.http_get)
    monkeypatch.setattr(module, "address_of", lambda *_: None)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    return found


@contextlib.contextmanager
def streamed(*agents):
    """Give the events of nodes."""
    streams = Streams(None, list(agents), None)
    try:
        yield streams.events()
    finally:
        streams.close()


def test_lines_are_put_together_from_whatever_comes():
    """A line may come in pieces, and several at once."""
    chunks = iter([b'{"a"', b":1}\n{}\n", b"{", b"}\n", b""])
    assert list(lines_of(lambda _: next(chunks), lambda: False)) == [b'{"a":1}', b"{}", b"{}"]


def test_a_line_without_an_end_is_refused(monkeypatch):
    """Whoever sends it is no proxy, and memory is finite."""
    monkeypatch.setattr(module, "LONGEST_LINE", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"):
        list(lines_of(lambda _: b"xxxxx", lambda: False))


def test_a_stream_that_breaks_off_is_opened_again(node):
    """What is lost and that it is back is said once each."""
    node.answers.put([b"1\n", IncompleteRead(b"")])
    node.answers.put(ForwardError("connection refused"))
    node.answers.put([b"2\n"])
    with streamed(agent("n1")) as events:
        found = [next(events) for _ in range(5)]
    assert [type(one) for one in found] == [Opened, Line, Lost, Opened, Line]
    assert [one.again for one in found if isinstance(one, Opened)] == [False, True]
    assert [one.text for one in found if isinstance(one, Line)] == [b"1", b"2"]


def test_a_node_that_never_answers_is_told_once(node):
    """Not every second."""
    for _ in range(3):
        node.answers.put(ForwardError("timed out"))
    node.answers.put([b"1\n"])
    with streamed(agent("n1")) as events:
        found = [next(events) for _ in range(2)]
    assert found == [Lost("n1", "timed out"), Opened("n1", again=True)]


def test_a_pod_that_does_not_run_yet_is_not_asked(node, monkeypatch):
    """Why it cannot answer is known; when it runs it is asked."""
    pending = agent("n1", status={"phase": "Pending"})
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    told = threading.Event()
    monkeypatch.setattr(module, "find_agents", lambda *_: [agent("n1")] if told.wait(10) else [])
    node.answers.put([b"1\n"])
    with streamed(pending) as events:
        assert next(events) == Lost("n1", f"its pod {pending.key} is Pending")
        told.set()
        assert [next(events), next(events)] == [Opened("n1", again=True), Line("n1", b"1")]


def test_a_new_agent_is_noticed(node, monkeypatch):
    """An update replaces every agent."""
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    monkeypatch.setattr(module, "find_agents", lambda *_: [agent("n2")])
    node.answers.put([b"1\n"])
    with streamed() as events:
        assert [next(events), next(events)] == [Opened("n2", again=False), Line("n2", b"1")]


def test_an_agent_that_has_gone_is_not_called_lost(node, monkeypatch):
    """An update has replaced it; its stream ends, and is not opened again."""
    begun, gone = threading.Event(), threading.Event()
    old, new = agent("n1"), agent("n2")
    looks = itertools.count(1)

    def find_agents(*_):
        begun.wait(10)
        if next(looks) == 2:  # what the first look has found is known by now
            gone.set()
        return [new]

    def calls_of_the_old():
        begun.set()
        yield b"1\n"
        gone.wait(10)
        yield IncompleteRead(b"")

    def calls_of_the_new():
        yield b"2\n"
        for thread in threading.enumerate():
            if thread.name == old.metadata.name:
                thread.join(10)
        yield b"3\n"

    monkeypatch.setattr(module, "LOOK_AGAIN", 0.01)
    monkeypatch.setattr(module, "find_agents", find_agents)
    node.answers.put(calls_of_the_old())
    node.answers.put(calls_of_the_new())
    with streamed(old) as events:
        found = [next(events) for _ in range(5)]
    assert found == [
        Opened("n1", again=False),
        Line("n1", b"1"),
        Opened("n2", again=False),
        Line("n2", b"2"),
        Line("n2", b"3"),
    ]


def test_what_is_asked_aside_keeps_no_call_waiting(node):
    """A node that is down is asked for a long time."""
    answer = threading.Event()
    node.answers.put([b"1\n"])
    streams = Streams(None, [agent("n1")], None)
    try:
        streams.ask_aside(lambda: "no pod is recorded" if answer.wait(60) else "")
        events = streams.events()
        assert [next(events), next(events)] == [Opened("n1", again=False), Line("n1", b"1")]
        answer.set()
        assert Said("no pod is recorded") in (next(events), next(events))
    finally:
        streams.close()


CALL = (
    b'{"time":"2026-01-01T00:00:00Z","method":"GET","path":"/api/v1/pods","status":200,"verb":"list","resource":"pods"}'
)


def shown(capsys, *events, as_json=False, wanted=None):
    """Show events, and give what was written to standard output and error."""
    show = LiveCalls(wanted or CallFilter(), as_json=as_json)
    for event in events:
        show(event)
    return capsys.readouterr()


def test_json_lines_are_passed_on_as_they_are(capsys):
    """So that nothing a program may want is lost; there is no header."""
    assert shown(capsys, Line("n1", CALL), as_json=True).out == CALL.decode() + "\n"


def test_calls_that_do_not_pass_are_not_shown(capsys):
    """In either form."""
    wanted = CallFilter(verbs=frozenset({"get"}))
    assert shown(capsys, Line("n1", CALL), as_json=True, wanted=wanted).out == ""


def test_what_is_missing_is_said_on_standard_error(capsys):
    """Data stays data."""
    events = [Line("n1", b'{"left_out":7}'), Line("n1", b"nonsense"), Lost("n1", "timed out"), Opened("n1", again=True)]
    events.append(Said("no pod is recorded"))
    found = shown(capsys, *events, as_json=True)
    assert found.out == ""
    too_fast, nonsense, lost, back, said = found.err.splitlines()
    assert too_fast == "apisnoop: node n1: 7 calls came too fast to be shown; they are recorded"
    assert nonsense == "apisnoop: node n1 has sent a line that is no call"
    assert lost.startswith("apisnoop: node n1: the stream is lost: timed out; its calls are not shown")
    assert back == "apisnoop: node n1 is back"
    assert said == "apisnoop: no pod is recorded"


@pytest.mark.parametrize("line", [b"\xff", b'{"path":"\xff"}', CALL.replace(b"pods", b"\xff")])
def test_a_line_that_is_no_text_is_told(capsys, line):
    """A node that was taken over ends nobody's view of the others."""
    found = shown(capsys, Line("n1", line), Line("n2", CALL), as_json=True)
    assert found.err == "apisnoop: node n1 has sent a line that is no call\n"
    assert found.out == CALL.decode() + "\n"


def test_a_caller_in_a_line_has_every_property_of_a_caller():
    """What the node's proxy sends and what is read here are one type."""
    from apisnoop.calls.call_line import CallerPart  # noqa: PLC0415

    assert CallerPart.__struct_fields__ == Caller.__struct_fields__
