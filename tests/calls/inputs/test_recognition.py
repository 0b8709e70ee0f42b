"""Recognising what an input is."""

import json
from types import SimpleNamespace

import pytest

from apisnoop.calls.inputs.recognition import AUDIT, AUTO, HAR, Layout, recognise
from apisnoop.calls.inputs.source import HEAD
from tests.calls.sample import event, line, log

HAR_TEXT = json.dumps({"log": {"version": "1.2", "entries": []}}).encode()
LINES, DOCUMENT = (AUDIT, Layout.LINES), (AUDIT, Layout.DOCUMENT)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(log(range(3)), LINES, id="events"),
        pytest.param(line(0)[:-1], LINES, id="one event without an end"),
        pytest.param(line(0)[:-20], LINES, id="half an event"),
        pytest.param(b"\xef\xbb\xbf\r\n" + line(0), LINES, id="byte order mark"),
        pytest.param(b'"verb":"get"}}\n' + log(range(3)), LINES, id="begins in the middle of a line"),
        pytest.param(b'{"a":{"b":\n' + log(range(3)), DOCUMENT, id="breaks where printers break"),
        pytest.param(b'{"kind":"Event","verb":"g\n' + log(range(3)), LINES, id="first line cut off"),
        pytest.param(b"2026-06-01T09:00:00Z stdout F " + line(0), LINES, id="prefix"),
        pytest.param(b"[2026-06-01] " + line(0), LINES, id="prefix that looks like a list"),
        pytest.param(json.dumps({"kind": "EventList", "items": [event()]}).encode(), LINES, id="list on one line"),
        pytest.param(json.dumps({"items": [event()]}, indent=2).encode(), DOCUMENT, id="pretty list"),
        pytest.param(json.dumps([event()]).encode(), DOCUMENT, id="JSON list"),
        pytest.param(json.dumps([event()], indent=1).encode(), DOCUMENT, id="pretty JSON list"),
        pytest.param(json.dumps({"records": [event()] * 200}).encode(), DOCUMENT, id="long, without a line feed"),
        pytest.param(HAR_TEXT, (HAR, Layout.DOCUMENT), id="HAR"),
        pytest.param(json.dumps(json.loads(HAR_TEXT), indent=2).encode(), (HAR, Layout.DOCUMENT), id="pretty HAR"),
        pytest.param(b'{"log":"text","stream":"stdout"}\n', LINES, id="container runtime"),
        pytest.param(b"hello\nworld\n", None, id="text"),
        pytest.param(b"[section]\nkey = 1\n", None, id="INI"),
        pytest.param(bytes(range(256)) * 10, None, id="binary"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_beginning_tells(monkeypatch, text, kind):
    """Lines, documents, HAR and what is none of these are told apart without being asked."""
    monkeypatch.setattr("apisnoop.calls.reader.entry_points", lambda **_: ())
    found = recognise(text[: HEAD + 100])
    assert (None if found is None else (found.name, found.layout)) == kind


def test_the_user_can_know_better():
    """A named kind is taken at its word."""
    assert recognise(b"garbage\n", AUDIT) is not None
    assert recognise(b"garbage\n", HAR) == (HAR, Layout.DOCUMENT, None)
    assert recognise(HAR_TEXT, AUDIT) == (AUDIT, Layout.LINES, None)


class Entry:
    """An installed entry point."""

    def __init__(self, name, loaded):
        self.name, self._loaded = name, loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def installed(monkeypatch):
    """Two readers: one whose library is missing, one that knows inputs beginning with a digit."""
    reader = SimpleNamespace(recognises=lambda head: head[:1].isdigit(), read=lambda _stream, _matcher: iter(()))
    points = [Entry("absent", ImportError("no library")), Entry("digits", reader)]
    monkeypatch.setattr(
        "apisnoop.calls.reader.entry_points",
        lambda *, group, name=None: [point for point in points if group and name in (None, point.name)],
    )
    return reader


def test_a_reader_recognises_its_own(installed):
    """What is no JSON is shown to the installed readers; one that cannot be loaded is passed over."""
    assert recognise(b"5:hello,") == ("digits", Layout.READER, installed)
    assert recognise(b"hello") is None
    assert recognise(b"hello", "digits") == ("digits", Layout.READER, installed)
    assert recognise(b"5:hello,", "absent") is None


def test_json_loads_no_reader(monkeypatch):
    """Importing an audit log must not cost importing mitmproxy."""
    monkeypatch.setattr("apisnoop.calls.reader.entry_points", lambda **_: pytest.fail("readers were looked for"))
    assert recognise(line(0), AUTO) is not None
