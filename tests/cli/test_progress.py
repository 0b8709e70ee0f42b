"""The line of progress."""

import io
from types import SimpleNamespace

import pytest

from apisnoop.cli.progress import Progress, bytes_text, describe, time_text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_written_where_nobody_watches():
    """A log of a pipeline is not filled with progress."""
    stream = io.StringIO()
    progress = Progress(stream)
    progress(SimpleNamespace(name="a", consumed=1, size=2))
    progress.clear()
    assert stream.getvalue() == ""


def test_a_terminal_sees_bytes_rate_and_time_left():
    """A few times a second, and the line is gone before anything else is written."""
    stream, now = Terminal(), iter([100.0, 100.1, 102.0, 102.1])
    progress = Progress(stream, clock=lambda: next(now))
    source = SimpleNamespace(name="audit.log", consumed=0, size=1_000_000_000)
    progress(source)
    for source.consumed in (1, 500_000_000, 500_000_001):
        progress(source)
    progress.clear()
    progress.clear()
    lines = stream.getvalue().split("\r\x1b[K")
    assert lines == [
        "",
        "audit.log  0 B of 1.0 GB  0%",
        "audit.log  500 MB of 1.0 GB  50%  250 MB/s  2s left",
        "",
    ]


def test_what_is_not_known_is_left_out():
    """A pipe has no size, and so no share and no end."""
    assert describe("standard input", 5_000_000, None, 5_000_000, 2.0) == "standard input  5.0 MB  2.5 MB/s"
    assert describe("x" * 60, 10, 100, 0, 0.0) == "x" * 40 + "  10 B of 100 B  10%"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (15_000, "15 kB"), (2.5e9, "2.5 GB"), (9e15, "9000.0 TB")],
)
def test_bytes_are_written_for_people(size, text):
    """Decimal units, two figures where it is small."""
    assert bytes_text(size) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0s"), (59, "59s"), (125, "2m05s"), (7_260, "2h01m")])
def test_durations_are_written_for_people(seconds, text):
    """The largest two units."""
    assert time_text(seconds) == text
