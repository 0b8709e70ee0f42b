"""Puts the agent together: the cluster tells it of pods, the proxy connects, people hear of changes by the log."""

import asyncio
import logging

from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.api import Access, Api
from apisnoop_tproxy.cluster import Cluster
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import State
from apisnoop_tproxy.settings import Settings

logger = logging.getLogger(__name__)


async def serve(settings: Settings, access: Access) -> None:
    """Serve a node until cancelled."""
    agent = Agent(settings, _tell)
    async with Api(access) as api, asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.run())
        tasks.create_task(Cluster(api, agent, settings.node, settings.longest).run())


def _tell(pod: PodFacts, state: State) -> None:
    logger.info("%s/%s: %s: %s", pod.namespace, pod.name, state.name, state.why)
