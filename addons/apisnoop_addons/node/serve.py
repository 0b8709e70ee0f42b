"""The node's proxy put together: what the agent orders, what is recorded, and what is answered about it."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
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


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ApisnoopError for what keeps it from starting."""
    certificate, authority = Certificate(settings.certificate), _authority(settings.authority)
    matched, link = LateCatalogue(), AgentLink(settings.agent_socket)
    ledger = Ledger(settings.store, days=settings.retention_days, most_bytes=settings.store_bytes)
    upstream = Upstream(host="", port=0, server_name=settings.server_name, ca_pem=authority)
    feed = Feed(settings.feed, settings.feed_rate) if settings.feed else None
    scripts = [*load_scripts(settings.scripts), Answered()] if settings.scripts else []
    watchers = _watchers(feed, matched, settings)
    proxy = Proxy(Stream(), Identify(), Record(matched, ledger.record), *scripts, *watchers)
    pods = Pods(proxy, link, ledger, upstream, certificate, settings.limits)
    known = asyncio.Event()

    def become(catalogue: Catalogue) -> None:
        matched.become(catalogue)
        ledger.catalogue = catalogue
        known.set()

    async def take_orders() -> None:
        await known.wait()  # nothing is recorded that cannot be matched
        await link.run(pods)

    await ledger.open()
    node = os.environ.get("NODE_NAME", "")
    try:
        questions = serve(
            ledger,
            lambda: ledger.status(node, __version__, pods.connections()),
            *settings.listen,
            scratch=settings.store.parent,
        )
    except OSError as error:
        await ledger.close()
        host, port = settings.listen
        raise ApisnoopError(
            f"cannot listen on {host}:{port}: {cause_of(error)}; give another by APISNOOP_LISTEN"
        ) from None

    async def hand_over() -> None:
        """Have new connections go past us, and let those that are open end while the agent can still be asked."""
        await pods.leave()
        await proxy.stop(GRACE)

    await proxy.start()
    if feed is not None:
        await feed.open()
    try:
        works = (follow_catalogue(become), take_orders(), pods.run(), ledger.run(), certificate.run())
        await until_told_to_end(*works, before=hand_over)
    finally:
        questions.stop()
        await proxy.stop()
        if feed is not None:
            feed.close()
        await ledger.close()
        await questions.close_all_connections()


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
