"""Questions that may never be answered."""

import asyncio
import subprocess
import sys
import threading

import pytest

from apisnoop_tproxy import outstanding
from apisnoop_tproxy.outstanding import Outstanding
from tests.looped import PATIENCE, eventually, in_loop

HANGING = """
import asyncio, threading
from apisnoop_tproxy.outstanding import Outstanding

async def ask():
    return await Outstanding(2, "asking").ask("pod", threading.Event().wait, 0.01)

print(asyncio.run(ask()))
"""


@pytest.fixture
def answer():
    """Give an event for which questions wait; it happens at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


@in_loop
async def test_an_answer_in_time_is_given():
    """The result of the work comes back, and so does what it raises."""
    asking = Outstanding(1, "asking")
    assert await asking.ask("web", lambda: 7, PATIENCE) == 7
    with pytest.raises(PermissionError):
        await asking.ask("web", lambda: (_ for _ in ()).throw(PermissionError()).__next__(), PATIENCE)
    assert await asking.ask("web", lambda: 8, PATIENCE) == 8


@in_loop
async def test_nothing_is_asked_twice_before_it_is_answered(answer):
    """While a question is open there is no answer to the same one; once it is answered it can be asked again."""
    asking = Outstanding(2, "asking")
    assert await asking.ask("web", answer.wait, 0.01) is None
    assert await asking.ask("web", lambda: 7, PATIENCE) is None
    assert await asking.ask("other", lambda: 7, PATIENCE) == 7
    answer.set()
    await eventually(lambda: "web" not in asking.open)
    assert await asking.ask("web", lambda: 7, PATIENCE) == 7


@in_loop
async def test_so_many_may_be_open_and_no_more(answer):
    """A question for which there is no thread left waits for one, and is given up when its time is over."""
    asking = Outstanding(1, "asking")
    assert await asking.ask("web", answer.wait, 0.01) is None
    assert await asking.ask("other", lambda: 7, 0.01) is None
    waiting = asyncio.create_task(asking.ask("other", lambda: 7, PATIENCE))
    await asyncio.sleep(0)
    answer.set()
    assert await waiting == 7


@in_loop
async def test_one_who_gives_up_leaves_the_question_open(answer):
    """Whoever is cancelled while he waits neither ends the work nor keeps its place for ever."""
    asking = Outstanding(1, "asking")
    waiting = asyncio.create_task(asking.ask("web", answer.wait, PATIENCE))
    queued = asyncio.create_task(asking.ask("other", lambda: 7, PATIENCE))
    await asyncio.sleep(0)
    for task in (queued, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    answer.set()
    assert await asking.ask("other", lambda: 7, PATIENCE) == 7


@in_loop
async def test_threads_serve_again():
    """Questions one after the other are asked in the same thread; of many at once few threads are left."""
    asking = Outstanding(64, "again")
    first = await asking.ask("web", threading.current_thread, PATIENCE)
    assert await asking.ask("web", threading.current_thread, PATIENCE) is first
    gate = threading.Event()
    many = [asyncio.create_task(asking.ask(f"web-{number}", gate.wait, PATIENCE)) for number in range(40)]
    await eventually(lambda: len(threads("again")) == 40)
    gate.set()
    assert all(await asyncio.gather(*many))
    await eventually(lambda: len(threads("again")) == outstanding._KEPT)
    assert await asking.ask("web", lambda: 7, PATIENCE) == 7


def threads(name):
    """List those that live."""
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_what_hangs_does_not_keep_the_process():
    """A program ends although a question of its will never be answered."""
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert (ended.stdout, ended.stderr) == ("None\n", "")
