"""The figures of a node that records: agent and proxy as they are shipped, on a node of a real cluster.

What both take for a call against stock mitmdump under the same load, how much later answers come, how soon an
annotation acts, and what an enrolled pod's other traffic loses.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from operator import truediv

from benchmarks.node_rig import BenchPod, NodeRig, node_rig
from benchmarks.proxy import NAMES, OBJECT, throughput
from benchmarks.proxy_rig import Target
from benchmarks.row import Row

PODS = ("web", "other", "three", "four", "five", "six", "seven", "eight")
RATE = 50
LATENCY_ROUNDS = 5
LATENCY_REQUESTS = 400
TOGGLES = 200
BESIDE_ROUNDS = 150
"""In each of two halves, between which the pods change roles: single figures of one pod differ by 10 %, and what is
asked is 3 %."""
BESIDE_SECONDS = "100ms"


def run() -> Iterator[Row]:
    """Give the rows as they are measured; without root none, for there are no nodes to be had."""
    if os.geteuid():
        print("bench: inside needs root: left out", file=sys.stderr)
        return
    with node_rig() as made:
        pods = made.pods(*PODS)
        yield _to_rule(made, pods)
        web, other = pods[:2]
        made.enrol(web)
        with made.mitmdump(web) as stock:
            for protocol in (1, 2):
                yield throughput("node proxy and agent", made.through(web), stock, protocol)
        yield from _later(made.through(web), made.stand_in(other))
        made.release(web)
        with made.sink() as sink:
            yield from _beside(made, sink, (web, other))


def _to_rule(made: NodeRig, pods: Sequence[BenchPod]) -> Row:
    took = []
    for _ in range(TOGGLES // len(pods)):
        took += [made.enrol(pod) * 1000 for pod in pods]
        made.release(*pods)
    note = f"median {statistics.median(took):.0f} ms; from the API server's answer on"
    return Row("annotation to rule, p99", percentile(took, 99), "ms", 300, 100, at_least=False, note=note)


def _later(through: Target, direct: Target) -> Iterator[Row]:
    """Ask both by turns at a steady rate over one HTTP/2 connection, as client-go has it."""
    options = ("-connections", "1", "-rate", str(RATE), *NAMES)
    rounds = [
        [one.drive(OBJECT, 2, LATENCY_REQUESTS, *options) for one in (through, direct)] for _ in range(LATENCY_ROUNDS)
    ]
    for name, must, aim in (("p50", 4, 2), ("p99", 20, 10)):
        later = statistics.median((ours[name] - theirs[name]) * 1000 for ours, theirs in rounds)
        alone = statistics.median(theirs[name] * 1000 for _, theirs in rounds)
        note = f"without it {alone:.2g} ms"
        yield Row(f"answer, {name} at {RATE} requests/s", later, "ms later", must, aim, at_least=False, note=note)


def _beside(made: NodeRig, sink: str, pods: Sequence[BenchPod]) -> Iterator[Row]:
    """Compare an enrolled pod's connections to something else with another pod's."""
    for kind, unit, size in (("connect", "connections", 1.0), ("pour", "MB", 1e6)):
        enrolled: list[float] = []
        direct: list[float] = []
        with ExitStack() as started:
            one, other = (
                (pod, started.enter_context(pod.figures(kind, "-to", sink, "-for", BESIDE_SECONDS))) for pod in pods
            )
            for (pod, ours), (_, theirs) in ((one, other), (other, one)):
                made.enrol(pod)
                made.settle(pod)
                for number in range(BESIDE_ROUNDS):
                    turns = [(ours, enrolled), (theirs, direct)]
                    for turn, figures in turns if number % 2 else turns[::-1]:
                        figures.append(turn() / size)
                made.release(pod)
        note = f"against a pod not enrolled; median of {len(direct)} pairs"
        ours_to_theirs = statistics.median(map(truediv, enrolled, direct))
        peer = statistics.median(direct)
        yield Row(f"other traffic, {unit}", ours_to_theirs * peer, f"{unit}/s", 0.97, None, peer=peer, note=note)


def percentile(values: Sequence[float], which: int) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100)[which - 1]
