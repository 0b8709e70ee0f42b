"""Answers to what the proxy asks about connections: whose one is, and a socket by which to carry it on.

Each worker gets its own answers: they count their questions by themselves.
"""

import asyncio

from apisnoop.causes import cause_of
from apisnoop.node.messages import Dial, Dialled, Identified, Identify
from apisnoop_tproxy.destinations import Reach
from apisnoop_tproxy.pod_control import PodControl
from apisnoop_tproxy.proxy_link import Worker
from apisnoop_tproxy.ways import Ways


class Questions:
    """Of all workers, about all pods. A pod that is not there any more is None."""

    def __init__(self, ways: Ways, reach: Reach) -> None:
        self._ways = ways
        self._reach = reach
        self._answering: set[asyncio.Task[None]] = set()

    def identify(self, worker: Worker, question: Identify, pod: PodControl | None) -> None:
        """Answer which container has opened a connection, when that has been found out."""
        answering = asyncio.get_running_loop().create_task(self._identify(worker, question, pod))
        self._answering.add(answering)  # also while the agent ends, which connections on their way may outlast
        answering.add_done_callback(self._answering.discard)

    async def _identify(self, worker: Worker, question: Identify, pod: PodControl | None) -> None:
        container = ""
        if pod is not None and pod.presence is not None:
            container = await self._ways.container(pod.facts, pod.presence, question.source, question.destination)
        untouched = pod is not None and container in pod.unreadable
        worker.say(Identified(question.question, container, untouched))

    def dial(self, worker: Worker, question: Dial, pod: PodControl | None) -> None:
        """Answer with a socket in the pod's network namespace, or why there is none."""
        if pod is None or pod.presence is None:
            worker.say(Dialled(question.question, error="the pod is not there any more"))
            return
        if question.destination not in self._reach:  # the proxy may be wrong, and must not lead a pod astray
            worker.say(Dialled(question.question, error="the API server is not there"))
            return
        try:
            sock = self._ways.way_out(pod.presence, question.destination)
        except OSError as error:
            worker.say(Dialled(question.question, error=cause_of(error)))
            return
        with sock:
            worker.say(Dialled(question.question), (sock,))
