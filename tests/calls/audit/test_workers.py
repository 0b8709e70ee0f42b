"""Counting in several processes."""

import os
import signal

import pytest

from apisnoop.calls.audit.counter import TOO_LONG, AuditCounter
from apisnoop.calls.audit.counting import Local, Span
from apisnoop.calls.audit.workers import Workers
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.lines import Block
from tests.calls.sample import CATALOGUE, line, log


@pytest.fixture
def workers(tmp_path):
    path = tmp_path / "audit.log"
    path.write_bytes(log(range(100)) + b"garbage\n" + log(range(100, 200)))
    with path.open("rb") as file:
        made = Workers(CATALOGUE, 2, file.fileno())
        yield made, path.read_bytes()
        made.close()


def totals(parts):
    bad: dict[str, int] = {}
    for part in parts:
        for reason, count in part.bad.items():
            bad[reason] = bad.get(reason, 0) + count
    lines = {number: lines for part in parts for number, lines in part.lines.items()}
    return sum(part.batch.calls for part in parts), lines, bad


def test_spans_and_blocks_are_counted_as_in_one_process(workers):
    """Two workers that read spans of a file, or are sent bytes, count what one process counts."""
    made, text = workers
    cut = text.index(b"\n", len(text) // 2) + 1
    made.count(Span(0, cut), 0)
    made.count(Span(cut, len(text) - cut), 1)
    made.count(Block(line(200), len(line(200)), b""), 2)
    made.count(Block(b"", 10**9, b""), 3)
    calls, lines, bad = totals(made.take())
    assert (calls, sum(lines.values()), bad) == (201, 203, {"not-json": 1, TOO_LONG: 1})
    assert set(lines) == {0, 1, 2, 3}
    assert totals(made.take()) == (0, {}, {})


def test_many_pieces_are_handed_out_and_all_come_back(workers):
    """More pieces than workers wait for room, and none is lost."""
    made, _ = workers
    for number in range(50):
        made.count(Block(line(number), 1, b""), number)
    assert totals(made.take())[0] == 50


def test_a_worker_that_dies_is_told(workers):
    """The loss of a process ends the import with one clear sentence, for its counts are gone."""
    made, _ = workers
    os.kill(made._processes[0].pid, signal.SIGKILL)
    made._processes[0].join()
    with pytest.raises(InputError, match="has died"):
        made.take()


def test_counting_here_has_the_same_interface():
    """Without other processes blocks are counted at once."""
    local = Local(AuditCounter(CATALOGUE))
    local.count(Block(log(range(3)), 1, b""), 0)
    local.count(Block(b"", 10**9, b""), 0)
    assert local.size == 1
    assert totals(local.take()) == (3, {0: 4}, {TOO_LONG: 1})
    local.close()
