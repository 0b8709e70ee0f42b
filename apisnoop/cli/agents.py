"""Asking the node agents of a cluster, all at the same time, through a port-forward to each of their pods."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPException

import msgspec

from apisnoop.causes import cause_of
from apisnoop.cli.cluster_objects import list_objects
from apisnoop.cli.port_forward import ForwardError, PodAddress, http_get
from apisnoop.cluster_api import Api
from apisnoop.decoding import decoder_of
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.facts import AGENTS, Answer
from apisnoop.fleet.kinds import POD
from apisnoop.fleet.objects import Pod
from apisnoop.node.status import AGENT_PORT, PROXY_PORT, AgentStatus, ProxyStatus

AT_ONCE = 16
"""Nodes asked at the same time."""
PATIENCE = 10.0
"""Seconds a node may take for a step of its answer."""
MOST_STATUS = 1 << 24
"""Bytes of an answer; a node has some hundred pods."""


def find_agents(api: Api, namespace: str | None = None) -> list[Pod]:
    """Give the pods of the DaemonSets, wherever they are installed. Raises ApisnoopError."""
    return list(list_objects(api, POD.collection(namespace), Pod, labelSelector=AGENTS))


def each_agent[T](agents: Iterable[Pod], ask: Callable[[Pod], T]) -> Iterator[tuple[Pod, T]]:
    """Ask every agent and give answers as they come; what `ask` raises is raised."""
    with ThreadPoolExecutor(AT_ONCE, "node") as threads:
        asked = {threads.submit(ask, pod): pod for pod in agents}
        try:
            for future in as_completed(asked):
                yield asked[future], future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def answer_of(api: Api, pod: Pod, *, patience: float = PATIENCE) -> Answer:
    """Ask a node how it is; what does not come is told in the answer."""
    if pod.status.phase != "Running":
        return Answer(trouble=f"its pod is {pod.status.phase or 'not there'}")
    troubles = []

    def attempt[T](container: str, port: int, kind: type[T]) -> T | None:
        try:
            return ask(api, pod, port, kind, patience)
        except ApisnoopError as error:
            troubles.append(f"{container}: {error}")
            return None

    # Both at once: a node that is down costs our patience a single time.
    with ThreadPoolExecutor(2, "container") as threads:
        agent = threads.submit(attempt, "agent", AGENT_PORT, AgentStatus)
        proxy = threads.submit(attempt, "proxy", PROXY_PORT, ProxyStatus)
    return Answer(agent.result(), proxy.result(), "; ".join(sorted(troubles)))


def address_of(api: Api, pod: Pod, port: int) -> PodAddress:
    """Give the way to a port of a pod's loopback."""
    return PodAddress(api.configuration, pod.metadata.namespace, pod.metadata.name, port)


def ask[T](api: Api, pod: Pod, port: int, kind: type[T], patience: float) -> T:
    """Ask what listens on a port of a pod's loopback how it is. Raises ApisnoopError."""
    with http_get(address_of(api, pod, port), "/status", patience=patience) as answer:
        try:
            return decoder_of(kind).decode(answer.read(MOST_STATUS))
        except (OSError, HTTPException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ForwardError(cause_of(error)) from None
