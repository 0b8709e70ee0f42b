"""A writing thread does one thing at a time and keeps no fault to itself."""

import asyncio
import threading

import pytest

from apisnoop_addons.writing_thread import WritingThread


def fail() -> None:
    raise TypeError("a mistake")


def wait_for(event: threading.Event) -> None:
    event.wait(10)


def test_it_is_free_until_work_begins_and_when_that_is_over():
    """Whoever has more to write waits until then."""
    thread, go_on = WritingThread("test"), threading.Event()
    assert thread.is_free
    thread.begin(lambda: wait_for(go_on))
    assert not thread.is_free
    go_on.set()
    asyncio.run(thread.finish(lambda: None))
    assert thread.is_free
    thread.end()


def test_what_is_finished_comes_after_what_was_begun():
    """The last lines are the last lines."""
    thread, done, go_on = WritingThread("test"), [], threading.Event()

    def first() -> None:
        wait_for(go_on)
        done.append("begun")

    async def go() -> None:
        thread.begin(first)
        last = asyncio.create_task(thread.finish(lambda: done.append("finished")))
        go_on.set()
        await last

    asyncio.run(go())
    thread.end()
    assert done == ["begun", "finished"]


def test_a_fault_that_nobody_waited_for_comes_up_at_the_end():
    """Even where other work went well after it."""
    thread = WritingThread("test")
    thread.begin(fail)
    asyncio.run(thread.finish(lambda: None))
    thread.begin(lambda: None)
    with pytest.raises(TypeError, match="a mistake"):
        thread.end()


def test_a_fault_is_raised_where_somebody_waits():
    """And not a second time at the end."""
    thread = WritingThread("test")
    with pytest.raises(TypeError, match="a mistake"):
        asyncio.run(thread.finish(fail))
    thread.end()
