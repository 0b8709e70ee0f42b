"""Bringing what the nodes have recorded into one store, through a port-forward to each of them.

Nodes are asked at the same time, and each snapshot is added as soon as it is there. A node that gives none is noted in
the store as missing: a report must not take it for one on which nothing happened.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

import click

from apisnoop.calls.recording import Standing
from apisnoop.causes import cause_of
from apisnoop.cli.agents import PATIENCE, address_of, ask, each_agent, find_agents
from apisnoop.cli.cluster_objects import open_api
from apisnoop.cli.port_forward import ForwardError, http_get
from apisnoop.cli.progress import bytes_text
from apisnoop.coverage.sources import CLUSTER_NAME
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.status import agents_that_may_answer
from apisnoop.node.status import AGENT_PORT, INTERCEPTING, PROXY_PORT, SHED, SKIPPED, WAITING, AgentPod, AgentStatus
from apisnoop.reports.wording import clean, counted
from apisnoop.store.errors import StoreError
from apisnoop.store.pull import Pulled, note_standings, note_unanswered, pull_into
from apisnoop.store.store import Store

if TYPE_CHECKING:
    from apisnoop.cli.calls_source import Nodes
    from apisnoop.cluster_api import Api
    from apisnoop.fleet.objects import Pod

MISSING = frozenset({WAITING, SKIPPED, SHED})
"""States of a pod that should be recorded and is not."""
CHUNK = 1 << 20
MOST_BYTES = 8 << 30
"""Of a snapshot; the chart gives a node's store 1 GiB."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A node that gave no snapshot."""

    node: str
    why: str


@dataclass(slots=True)
class Outcome:
    """What pulling has come to."""

    pulled: list[Pulled] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A node's store, brought here."""

    path: Path | None
    taken: float
    """When it was asked for."""
    pods: tuple[AgentPod, ...] = ()
    """How it stands with the node's pods, as its agent says; none where it says nothing."""
    why: str = ""
    """Why there is none."""


class PullProgress:
    """A line on a terminal: how many nodes and bytes have come. Nothing is written where nobody watches."""

    def __init__(self, nodes: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_on = self._stream.isatty()
        self._nodes, self._done, self._bytes = nodes, 0, 0

    def came(self, size: int) -> None:
        """Count bytes; called by several threads, and at worst a number is late."""
        self._bytes += size
        self._show()

    def finished(self) -> None:
        """Count a node."""
        self._done += 1
        self._show()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_on:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _show(self) -> None:
        if self._is_on:
            self._stream.write(f"\r\x1b[K{self._done} of {counted(self._nodes, 'node')}  {bytes_text(self._bytes)}")
            self._stream.flush()


def pull(api: "Api", agents: "Sequence[Pod]", target: Store, *, patience: float = PATIENCE) -> Outcome:
    """Add what every node has recorded to `target`, in place of what was pulled from it before.

    Raises ApisnoopError if `target` cannot be written; what a node does wrong is in the outcome.
    """
    outcome, progress = Outcome(), PullProgress(len(agents))
    with TemporaryDirectory(prefix="apisnoop-pull-") as folder:

        def fetch(pod: "Pod") -> Snapshot:
            return fetch_snapshot(api, pod, Path(folder), progress.came, patience)

        try:
            for pod, snapshot in each_agent(agents, fetch):
                _take(target, pod, snapshot, outcome)
                progress.finished()
        finally:
            progress.clear()
    for missing in outcome.unanswered:
        note_unanswered(target, node=missing.node, reason=missing.why, at=time.time())
    return outcome


def fetch_snapshot(api: "Api", pod: "Pod", folder: Path, came: Callable[[int], None], patience: float) -> Snapshot:
    """Bring the store of one node into a file of a folder."""
    taken = time.time()
    if pod.status.phase != "Running":
        return Snapshot(None, taken, why=f"its pod {pod.key} is {pod.status.phase or 'not there'}")
    path = folder / f"{pod.metadata.uid}.db"
    try:
        with (
            http_get(address_of(api, pod, PROXY_PORT), "/snapshot", patience=patience, idle=patience) as answer,
            path.open("wb") as file,
        ):
            size = int(answer.headers.get("Content-Length") or 0)
            _demand_room(size, folder)
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                came(len(chunk))
            if size != file.tell():
                raise ForwardError(f"it broke off after {bytes_text(file.tell())} of {bytes_text(size)}")
    except (ApisnoopError, HTTPException, OSError, ValueError) as error:
        return Snapshot(None, taken, why=cause_of(error))
    return Snapshot(path, taken, pods_of(api, pod, patience))


def pods_of(api: "Api", pod: "Pod", patience: float) -> tuple[AgentPod, ...]:
    """Ask a node's agent for its pods. One that does not answer costs no snapshot: `status` tells what is wrong."""
    try:
        return ask(api, pod, AGENT_PORT, AgentStatus, patience).pods
    except ApisnoopError:
        return ()


def _demand_room(size: int, folder: Path) -> None:
    if size > MOST_BYTES:
        raise ForwardError(
            f"its snapshot has {bytes_text(size)}, more than the {bytes_text(MOST_BYTES)} that are taken"
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ForwardError(f"its snapshot has {bytes_text(size)}, and {folder.parent} {bytes_text(free)} left (TMPDIR)")


def _take(target: Store, pod: "Pod", snapshot: Snapshot, outcome: Outcome) -> None:
    node, why = pod.spec.node_name, snapshot.why
    if snapshot.path is not None:
        try:
            source = Store.open(snapshot.path, read_only=True)
        except StoreError as error:
            why = str(error).replace(f"store {snapshot.path}", "its snapshot")
        else:
            with source:
                pulled = pull_into(target, source, node=node, taken=snapshot.taken)
                if pulled.is_newer:
                    note_standings(target, node=node, pods=standings_of(snapshot.pods), at=snapshot.taken)
                outcome.pulled.append(pulled)
                return
        finally:
            snapshot.path.unlink(missing_ok=True)
    outcome.unanswered.append(Unanswered(node, why))


def standings_of(pods: Iterable[AgentPod]) -> Iterator[Standing]:
    """Give the pods that should be recorded and are not, or not wholly; one that drains is wanted no more."""
    for pod in pods:
        if pod.state in MISSING or (pod.state == INTERCEPTING and pod.existing):
            yield Standing(pod.namespace, pod.name, pod.uid, pod.state, pod.why, pod.existing)


def agents_to_pull(api: "Api", place: str | None) -> "list[Pod]":
    """Give the agents that may have recorded something, also those that are on their way out.

    Raises ApisnoopError where there are none.
    """
    agents = agents_that_may_answer(find_agents(api, place))
    if not agents:
        where = f"namespace {place}" if place else "this cluster"
        raise ApisnoopError(f"no node agent in {where}: kubectl apisnoop install, or name another --context")
    return agents


def tell_unanswered(outcome: Outcome) -> None:
    """Say on stderr which nodes are missing."""
    for missing in outcome.unanswered:
        why = f"{clean(missing.why)}; what it has recorded is missing"
        click.echo(f"apisnoop: node {clean(missing.node)} does not answer: {why}", err=True)


@contextmanager
def pulled_for_a_report(nodes: "Nodes") -> Iterator[Store]:
    """Give a store with what the nodes have recorded up to now, for as long as a report needs it.

    Raises ApisnoopError, also where no node at all answers.
    """
    api = open_api(nodes.kubeconfig, nodes.context)
    agents = agents_to_pull(api, nodes.place)
    with TemporaryDirectory(prefix="apisnoop-cluster-") as folder, Store.open(Path(folder, "cluster.db")) as store:
        outcome = pull(api, agents, store)
        tell_unanswered(outcome)
        if not outcome.pulled:
            raise ApisnoopError("no node answers; see what is wrong: kubectl apisnoop doctor")
        store.path = f"{CLUSTER_NAME}{api.configuration.host}"
        yield store
