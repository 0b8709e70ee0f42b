"""Questions that may never be answered, as those that a pod's file system takes: each waits in a thread that it has for
itself, and nobody waits for it longer than he likes.

The threads are daemons, so that one that hangs for ever does not keep the process from ending, as those of
concurrent.futures would.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

_KEPT = 8
"""Threads that are left for the next questions."""


class Outstanding[Result]:
    """Asks in threads, inside the running event loop; about one thing never twice at a time."""

    def __init__(self, most: int, name: str) -> None:
        """`most` questions may be open before others have to wait; threads are called `name`."""
        self._slots = asyncio.Semaphore(most)
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = 0
        """Threads that wait for work."""
        self.open: set[str] = set()
        """What has not been answered yet."""

    async def ask(self, about: str, work: Callable[[], Result], seconds: float) -> Result | None:
        """Run `work` in a thread; return its result, or None if there is none in time or an earlier one is still open.

        Raises what `work` raises.
        """
        if about in self.open:
            return None
        self.open.add(about)
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except BaseException as error:
            self.open.discard(about)
            if isinstance(error, TimeoutError):
                return None
            raise
        answer = self._begin(about, work)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(answer)
        except TimeoutError:
            return None

    def _begin(self, about: str, work: Callable[[], Result]) -> asyncio.Future[Result]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        answer.add_done_callback(lambda _: self._answered(about, answer))

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                _tell(loop, answer.set_exception, error)
            else:
                _tell(loop, answer.set_result, result)

        if self._idle:
            self._idle -= 1
        else:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        self._work.put(run)
        return answer

    def _serve(self) -> None:
        while (run := self._work.get()) is not None:
            run()

    def _answered(self, about: str, answer: asyncio.Future[Result]) -> None:
        self.open.discard(about)
        self._slots.release()
        if self._idle < _KEPT:
            self._idle += 1
        else:
            self._work.put(None)  # its thread, or another one, ends
        answer.exception()  # it may be that nobody waits for it any more


def _tell[Value](loop: asyncio.AbstractEventLoop, put: Callable[[Value], None], value: Value) -> None:
    with suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(put, value)
