"""What the agent counts, and the text in which Prometheus reads it. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4): a dozen lines do not need a library.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from apisnoop_tproxy.pod_state import Condition, State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of the histogram, in seconds."""


@dataclass(slots=True)
class Histogram:
    """Observations by upper bound; the last bucket is that of all others."""

    bounds: tuple[float, ...] = BOUNDS
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, value: float) -> None:
        """Take one."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Figures:
    """Since the agent has started."""

    gaps: int = 0
    to_rule: Histogram = field(default_factory=Histogram)


def render_metrics(figures: Figures, states: Iterable[State], leases: int, *, proxy: bool) -> str:
    """Render everything; `states` are those of the pods that somebody wants."""
    listed = list(states)
    conditions = Counter(state.name.value for state in listed)
    skipped = Counter(state.cause.code.value for state in listed if state.name is Condition.SKIPPED)
    every = {one.value: conditions[one.value] for one in Condition if one is not Condition.OFF}
    lines = [
        *_family("pods", "gauge", "Pods of this node that are to be recorded, by state.", "state", every),
        *_family("skipped_pods", "gauge", "Pods that cannot be recorded, by reason.", "reason", skipped),
        *_family("leases", "gauge", "Pods whose new connections are led to the proxy.", "", {"": leases}),
        *_family("proxy_connected", "gauge", "Whether the node's proxy is connected.", "", {"": int(proxy)}),
        *_family("gaps_total", "counter", "Times that recording lapsed although wanted.", "", {"": figures.gaps}),
        *_histogram("to_rule_seconds", "Time from what a running pod's marks say to its rule.", figures.to_rule),
    ]
    return "\n".join([*lines, ""])


def _family(name: str, kind: str, text: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    yield from _head(name, kind, text)
    for value, number in sorted(values.items()):
        labels = f'{{{label}="{value}"}}' if label else ""
        yield f"apisnoop_agent_{name}{labels} {number}"


def _histogram(name: str, text: str, histogram: Histogram) -> Iterator[str]:
    yield from _head(name, "histogram", text)
    below = 0
    for bound, number in zip((*histogram.bounds, math.inf), histogram.buckets, strict=True):
        below += number
        yield f'apisnoop_agent_{name}_bucket{{le="{"+Inf" if bound == math.inf else bound}"}} {below}'
    yield f"apisnoop_agent_{name}_sum {histogram.total}"
    yield f"apisnoop_agent_{name}_count {below}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP apisnoop_agent_{name} {text}"
    yield f"# TYPE apisnoop_agent_{name} {kind}"
