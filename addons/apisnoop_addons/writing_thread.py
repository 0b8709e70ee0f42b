"""A thread that writes for an event loop: one piece of work at a time, so that nothing queues up behind a slow disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class WritingThread:
    """Use: `begin` whenever it `is_free`, `finish` any number of times, `end` once; all from one thread."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._begun: Future[None] | None = None
        self._fault: BaseException | None = None

    @property
    def is_free(self) -> bool:
        """Whether the work that was begun last is over."""
        return self._begun is None or self._begun.done()

    def begin(self, work: Callable[[], None]) -> None:
        """Start a piece of work and do not wait for it; a fault in it comes up in `end`."""
        self._keep_fault()
        self._begun = self._executor.submit(work)

    async def finish(self, work: Callable[[], None]) -> None:
        """Do a piece of work after what was begun, and wait for it. Raises what it raises."""
        await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def end(self) -> None:
        """Wait for what was begun and let the thread go. Raises the first fault of what nobody waited for."""
        self._executor.shutdown()
        self._keep_fault()
        if self._fault is not None:
            raise self._fault

    def _keep_fault(self) -> None:
        if self._begun is not None:
            self._fault = self._fault or self._begun.exception()
