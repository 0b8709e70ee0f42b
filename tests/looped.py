"""Run a coroutine as a test."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

PATIENCE = 120.0
"""Seconds until a test that waits for something that does not come has failed."""


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine function; its fixtures are those of its arguments."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        async def patiently() -> None:
            async with asyncio.timeout(PATIENCE):
                await test(*arguments, **fixtures)

        asyncio.run(patiently())

    return run


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds that nobody tells of; the test's patience is the limit."""
    while not holds():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)
