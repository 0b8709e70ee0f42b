"""The calls of all nodes as they are made: one stream from each, which is opened again when it breaks off."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from queue import Empty, Queue

from apisnoop.causes import cause_of
from apisnoop.cli.agents import address_of, find_agents
from apisnoop.cli.port_forward import ForwardError, http_get
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.objects import Pod
from apisnoop.node.status import PROXY_PORT

PATIENCE = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds before a lost stream is opened again; twice as long each time."""
LOOK_AGAIN = 10.0
"""Seconds after which new nodes are noticed."""
LONGEST_LINE = 1 << 20
CHUNK = 1 << 16
WAITING = 10_000
"""Lines that may wait here; after that, the nodes wait, and count what they leave out."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a node sends."""

    node: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream has begun, again if it was lost before."""

    node: str
    again: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A stream has broken off, or could not be opened."""

    node: str
    why: str


@dataclass(frozen=True, slots=True)
class Said:
    """A remark that is of no single node."""

    text: str


type Event = Line | Opened | Lost | Said


class Streams:
    """The streams of a cluster. Use: iterate over `events()` and `close` at the end."""

    def __init__(self, api: Api, agents: list[Pod], place: str | None) -> None:
        """`agents` are those known now; `place` is the namespace where others are looked for (None: all)."""
        self._api, self._place = api, place
        self._queue: Queue[Event] = Queue(WAITING)
        self._ended = threading.Event()
        self._known: dict[str, threading.Thread] = {}
        self._gone: set[str] = set()
        self._latest = {pod.metadata.uid: pod for pod in agents}
        """As they were found last."""
        for pod in agents:
            self._begin(pod)

    def events(self) -> Iterator[Event]:
        """Give what happens, as it happens, without end."""
        searching = threading.Thread(target=self._search, name="agents", daemon=True)
        searching.start()
        while not self._ended.is_set():
            try:
                # With a limit, so that Ctrl-C is heard on every system.
                yield self._queue.get(timeout=1)
            except Empty:
                continue

    def ask_aside(self, ask: Callable[[], str]) -> None:
        """Have something found out beside the streams: it may take as long as a node's silence."""

        def say() -> None:
            if text := ask():
                self._queue.put(Said(text))

        threading.Thread(target=say, name="aside", daemon=True).start()

    def close(self) -> None:
        """End all streams; their threads end with what they wait for."""
        self._ended.set()

    def _search(self) -> None:
        """Notice agents that come and go: nodes are added, and updates replace every agent."""
        while not self._ended.wait(LOOK_AGAIN):
            try:
                found = {pod.metadata.uid: pod for pod in find_agents(self._api, self._place)}
            except ApisnoopError:
                continue  # the streams say that the API server is out of reach
            self._gone, self._latest = self._known.keys() - found.keys(), found
            for uid, pod in found.items():
                if uid not in self._known and pod.status.phase == "Running":
                    self._begin(pod)

    def _begin(self, pod: Pod) -> None:
        thread = threading.Thread(target=self._follow, args=(pod,), name=pod.metadata.name, daemon=True)
        self._known[pod.metadata.uid] = thread
        thread.start()

    def _follow(self, pod: Pod) -> None:
        node, pause, again = pod.spec.node_name, FIRST_PAUSE, False
        while not self._ended.is_set() and pod.metadata.uid not in self._gone:
            opened = False
            try:
                self._demand_running(pod)
                with http_get(address_of(self._api, pod, PROXY_PORT), "/calls", patience=PATIENCE, idle=None) as answer:
                    opened, pause = True, FIRST_PAUSE
                    self._queue.put(Opened(node, again))
                    for line in lines_of(answer.read1, self._ended.is_set):
                        self._queue.put(Line(node, line))
                why = "the proxy has ended it"
            except (ApisnoopError, HTTPException, OSError, ValueError) as error:
                why = cause_of(error)
            if pod.metadata.uid in self._gone:
                return
            if opened or not again:
                self._queue.put(Lost(node, why))
            again = True
            self._ended.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _demand_running(self, pod: Pod) -> None:
        """Raise ForwardError for a pod that cannot answer yet, or not any more, as the last look has found."""
        phase = self._latest.get(pod.metadata.uid, pod).status.phase
        if phase != "Running":
            raise ForwardError(f"its pod {pod.key} is {phase or 'not there'}")


def lines_of(read: Callable[[int], bytes], ended: Callable[[], bool]) -> Iterator[bytes]:
    """Split what is read into lines, as they come. Raises ValueError for one that is too long to be a call."""
    rest = b""
    while not ended() and (chunk := read(CHUNK)):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)
        if len(rest) > LONGEST_LINE:
            raise ValueError(f"a line of more than {LONGEST_LINE:,} bytes came")
