"""Call addons: which handlers a hook has is found out once, and a handler that is no coroutine runs in place.

mitmproxy looks every handler up again on every event, in every addon, and starts a task for each hook; that is where
close to half of its time goes. What it promises is kept: handlers run in the addons' order, one after the other, a
coroutine holds up the handlers behind it (and the message it is about) but nothing else, AddonHalt ends the round, any
other exception is logged and the round goes on, and `update` follows every hook that is about a flow.
"""

import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import fields
from types import ModuleType
from typing import Any, NamedTuple

from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.exceptions import AddonHalt
from mitmproxy.flow import Flow
from mitmproxy.hooks import Hook, UpdateHook

logger = logging.getLogger(__name__)

type Handler = Callable[..., Any]


class Round(NamedTuple):
    """Who is called for one kind of hook."""

    handlers: tuple[Handler, ...]
    updates: tuple[Handler, ...]
    """Handlers of `update`, which follow every hook that is about a flow."""
    arguments: tuple[str, ...]
    """The hook's fields that are the handlers' arguments."""


class Hooks:
    """Dispatches hooks to a manager's addons. Handlers set on an addon after a hook's first time are not seen."""

    def __init__(self, addons: AddonManager) -> None:
        self._addons = addons
        self._rounds: dict[type[Hook], Round] = {}

    def run(self, hook: Hook) -> Awaitable[None] | None:
        """Run a hook's handlers. Return None when all is done, else an awaitable that does the rest."""
        kind = type(hook)
        current = self._rounds.get(kind)
        if current is None:
            current = self._rounds[kind] = self._find(kind)
        if not current.handlers and not current.updates:
            return None
        arguments = [getattr(hook, name) for name in current.arguments]
        pending = _run_from(0, current.handlers, arguments)
        if not current.updates or not arguments or not isinstance(arguments[0], Flow):
            return pending
        if pending is not None:
            return _update_after(pending, current.updates, arguments)
        return _run_from(0, current.updates, [arguments])

    async def finish(self, hook: Hook) -> None:
        """Run a hook's handlers, and wait for those that are coroutines."""
        pending = self.run(hook)
        if pending is not None:
            await pending

    def _find(self, kind: type[Hook]) -> Round:
        names = tuple(field.name for field in fields(kind))  # type: ignore[arg-type]  # all are dataclasses
        updates = () if kind is UpdateHook else self._handlers(UpdateHook.name)
        return Round(self._handlers(kind.name), updates, names)

    def _handlers(self, name: str) -> tuple[Handler, ...]:
        found = (getattr(addon, name, None) for addon in traverse(self._addons.chain))  # type: ignore[no-untyped-call]
        return tuple(handler for handler in found if callable(handler) and not isinstance(handler, ModuleType))


def _run_from(start: int, handlers: tuple[Handler, ...], arguments: list[Any]) -> Awaitable[None] | None:
    for position in range(start, len(handlers)):
        try:
            result = handlers[position](*arguments)
        except AddonHalt:
            return None
        except Exception as error:
            log_fault("an addon's hook", error)
            continue
        if result is not None and inspect.isawaitable(result):
            return _finish(result, position + 1, handlers, arguments)
    return None


async def _finish(pending: Awaitable[Any], start: int, handlers: tuple[Handler, ...], arguments: list[Any]) -> None:
    try:
        await pending
    except AddonHalt:
        return
    except Exception as error:
        log_fault("an addon's hook", error)
    rest = _run_from(start, handlers, arguments)
    if rest is not None:
        await rest


async def _update_after(pending: Awaitable[None], updates: tuple[Handler, ...], flows: list[Any]) -> None:
    await pending
    rest = _run_from(0, updates, [flows])
    if rest is not None:
        await rest


def log_fault(where: str, error: BaseException) -> None:
    """Log a programming error by type and place. Its message is left out: it may quote what a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    logger.error("%s failed: %s at %s", where, type(error).__name__, place)
