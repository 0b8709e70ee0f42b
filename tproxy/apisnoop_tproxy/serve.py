"""Puts the agent together: the cluster tells it of pods, the proxy connects, people read Events and the log."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from apisnoop.node.descriptors import raise_descriptor_limit
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.api import Access, Api
from apisnoop_tproxy.cluster import Cluster
from apisnoop_tproxy.events import Events
from apisnoop_tproxy.loopback import Loopback
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import State
from apisnoop_tproxy.settings import Settings

logger = logging.getLogger(__name__)

_THREADS = 32
"""For what is done inside pods: the kernel may take its time, for tables that somebody has filled."""


def serve_until_stopped(settings: Settings, access: Access) -> None:
    """Serve a node until SIGTERM or SIGINT."""
    raise_descriptor_limit()
    asyncio.run(_until_stopped(serve(settings, access)))


async def serve(settings: Settings, access: Access) -> None:
    """Serve a node until cancelled."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "work"))
    async with Api(access) as api:
        agent = Agent(settings, lambda pod, state: _tell(events, pod, state))
        events = Events(api, settings.node, agent.existing)
        cluster = Cluster(api, agent, settings.node, settings.longest)
        async with Loopback(settings, agent, cluster), asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run())
            tasks.create_task(cluster.run())
            tasks.create_task(events.run())


def _tell(events: Events, pod: PodFacts, state: State) -> None:
    events.tell(pod, state)
    logger.info("%s/%s: %s: %s", pod.namespace, pod.name, state.name, state.why)


async def _until_stopped(work: Coroutine[None, None, None]) -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
