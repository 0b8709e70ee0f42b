"""The node's proxy put together: what the agent orders, what is recorded, and what is answered about it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from tornado.httpserver import HTTPServer

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop.node.descriptors import raise_descriptor_limit
from apisnoop.node.status import ProxyStatus
from apisnoop.operations.catalogue import Catalogue
from apisnoop_addons.bodies import Bodies
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import Upstream
from apisnoop_addons.identify import Identify
from apisnoop_addons.late_catalogue import LateCatalogue
from apisnoop_addons.node.catalogue import follow_catalogue
from apisnoop_addons.node.certificate import Certificate
from apisnoop_addons.node.feed import Feed
from apisnoop_addons.node.ledger import Ledger
from apisnoop_addons.node.link import AgentLink
from apisnoop_addons.node.loopback import serve
from apisnoop_addons.node.pods import Pods
from apisnoop_addons.node.scripts import Answered, load_scripts
from apisnoop_addons.node.settings import Settings
from apisnoop_addons.record import Record
from apisnoop_addons.redact import Redact
from apisnoop_addons.stream import Stream

GRACE = 5.0
"""Seconds that open connections get after the signal to end; longer ones are cut, and their clients connect anew."""


class _Parts:
    """What one proxy is made of."""

    def __init__(self, settings: Settings) -> None:
        """Read what has to be there. Raises ApisnoopError."""
        self.certificate, authority = Certificate(settings.certificate), _authority(settings.authority)
        self.link = AgentLink(settings.agent_socket)
        self.ledger = Ledger(settings.store, days=settings.retention_days, most_bytes=settings.store_bytes)
        self.feed = Feed(settings.feed, settings.feed_rate) if settings.feed else None
        self._matched, self._known = LateCatalogue(), asyncio.Event()
        upstream = Upstream(host="", port=0, server_name=settings.server_name, ca_pem=authority)
        scripts = [*load_scripts(settings.scripts), Answered()] if settings.scripts else []
        watchers = _watchers(self.feed, self._matched, settings)
        record = Record(self._matched, self.ledger.record)
        self.proxy = Proxy(Stream(), Identify(), record, *scripts, *watchers)
        self.pods = Pods(self.proxy, self.link, self.ledger, upstream, self.certificate, settings.limits)

    def works(self) -> tuple[Coroutine[None, None, None], ...]:
        """Give what is to be done all the time."""
        return (
            follow_catalogue(self._become),
            self._take_orders(),
            self.pods.run(),
            self.ledger.run(),
            self.certificate.run(),
        )

    def _become(self, catalogue: Catalogue) -> None:
        self._matched.become(catalogue)
        self.ledger.catalogue = catalogue
        self._known.set()

    async def _take_orders(self) -> None:
        await self._known.wait()  # nothing is recorded that cannot be matched
        await self.link.run(self.pods)

    async def hand_over(self) -> None:
        """Have new connections go past us, and let those that are open end while the agent can still be asked."""
        await self.pods.leave()
        await self.proxy.stop(GRACE)

    def status(self) -> ProxyStatus:
        """Say how it goes."""
        return self.ledger.status(os.environ.get("NODE_NAME", ""), __version__, self.pods.connections())


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ApisnoopError for what keeps it from starting."""
    raise_descriptor_limit()
    parts = _Parts(settings)
    async with AsyncExitStack() as at_end:
        await parts.ledger.open()
        at_end.push_async_callback(parts.ledger.close)
        questions = _listen(parts, settings)
        at_end.push_async_callback(questions.close_all_connections)
        if parts.feed is not None:
            await parts.feed.open()
            at_end.callback(parts.feed.close)
        await parts.proxy.start()
        at_end.push_async_callback(parts.proxy.stop)
        at_end.callback(questions.stop)
        await until_told_to_end(*parts.works(), before=parts.hand_over)


def _listen(parts: _Parts, settings: Settings) -> HTTPServer:
    """Answer questions on loopback."""
    host, port = settings.listen
    try:
        return serve(parts.ledger, parts.status, host, port, scratch=settings.store.parent)
    except OSError as error:
        raise ApisnoopError(
            f"cannot listen on {host}:{port}: {cause_of(error)}; give another by APISNOOP_LISTEN"
        ) from None


def _watchers(feed: Feed | None, matched: LateCatalogue, settings: Settings) -> tuple[object, ...]:
    """Give the addons that make copies for the viewer, if there is one."""
    if feed is None:
        return ()
    return (*((Bodies(matched),) if settings.feed_bodies else ()), Redact(feed.show, feed.wants))


async def until_told_to_end(*works: Coroutine[None, None, None], before: Callable[[], Awaitable[None]]) -> None:
    """Do all of it until SIGTERM or SIGINT, and `before` that ends. Raises what the first of it raises."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(work) for work in works]
    told = loop.create_task(asyncio.Event().wait())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.cancel)
    try:
        ended, _ = await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in ended - {told}:
            task.result()
        await before()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _authority(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ApisnoopError(
            f"cluster CA {path} cannot be read: {cause_of(error)}; it is mounted with the service account's token"
        ) from None
