"""Where a report's figures come from: catalogue, time window, sources, losses, tool. Every report carries one.

It exists so that "no data" is never read as "nothing happened". Gathering it from a store is the business of `sources`.
"""

from dataclasses import dataclass, field

from apisnoop import __version__
from apisnoop.calls.recording import Gap


@dataclass(frozen=True, slots=True)
class CatalogueUsed:
    """A catalogue that calls were counted against: the report's own, or one of those used while recording."""

    release: str
    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class Source:
    """One recording that went into the store: an imported file, or a run."""

    kind: str
    """`import`, `run` or `node`."""
    name: str
    """The file, the command that was run, or the node that was asked."""
    calls: int | None = None
    """Calls it gave, where the store knows."""
    started: float | None = None
    """Epoch seconds, UTC."""
    ended: float | None = None
    """For a node, when its snapshot was taken."""
    state: str = ""
    """Anything that makes it less than whole, e.g. that it has no end; empty when all went well."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that was seen but could not be counted as a call of its own."""

    source: str
    reason: str
    detail: str
    count: int
    example: str = ""


@dataclass(frozen=True, slots=True)
class RecordedPod:
    """A pod of which all new connections were recorded, for some of the window. Times are epoch seconds."""

    node: str
    namespace: str
    name: str
    uid: str
    since: float
    until: float
    seconds: float
    """How long it was recorded from `since` to `until`, gaps taken out."""
    ended: str
    """Why recording ended; empty: it went on when last heard of."""


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Connections of one container that could not be read."""

    who: str
    reason: str
    connections: int


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """A pod that should be recorded and was not when its node was last asked."""

    node: str
    namespace: str
    name: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recordings:
    """When pods were recorded and when they should have been and were not. The counts are of all, listed or not."""

    pods: tuple[RecordedPod, ...]
    pod_count: int
    node_count: int
    seconds: float
    """Recorded time of all pods added up."""
    since: float | None
    until: float | None
    gaps: tuple[Gap, ...]
    """By time."""
    gap_count: int
    gap_seconds: float
    """Length of all gaps that are over."""
    open_gap_count: int
    """Gaps that were not over when last heard of the pod."""
    not_seen: tuple[NotSeen, ...]
    not_seen_count: int
    """Connections."""
    older_connections: int = 0
    """Connections that were open before their pod's recording began, and still were when its node was last asked."""
    not_recorded: tuple[NotRecorded, ...] = ()
    not_recorded_count: int = 0
    asked_since: float | None = None
    """First and last time (epoch seconds) at which the nodes told of these pods and older connections: how it was then,
    whatever time the report is about. None where they told of none."""
    asked_until: float | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything a reader needs to judge a report. Times are epoch seconds, UTC; None is an open end."""

    catalogue: CatalogueUsed
    store: str
    """The store's file name as given, or a word for one in memory."""
    generated: float
    since: float | None = None
    until: float | None = None
    first_seen: float | None = None
    """When the earliest call of the window was made; None when the window holds none."""
    last_seen: float | None = None
    calls: int = 0
    """Calls in the window, whatever they hit."""
    recorded_with: tuple[CatalogueUsed, ...] = ()
    sources: tuple[Source, ...] = ()
    lost: tuple[Lost, ...] = ()
    recordings: Recordings | None = None
    """What is known of pods in a cluster; None where none was recorded."""
    notes: tuple[str, ...] = ()
    """Sentences on what limits the figures, e.g. that another catalogue was used while recording."""
    tool: str = field(default=f"apisnoop {__version__}")

    @property
    def is_empty(self) -> bool:
        """Whether there was no call to report on, which is not the same as nothing having happened."""
        return self.calls == 0
