"""A node with 200 recorded pods: how soon each is, what agent and proxy hold then, and whether calls make them grow.

The pods are real ones of a real cluster. It takes long, so it is measured only when it is asked for.
"""

import itertools
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from time import monotonic, sleep

from benchmarks.inside import percentile
from benchmarks.node_rig import BenchPod, NodeRig, node_rig
from benchmarks.proxy import NAMES, OBJECT, growth
from benchmarks.proxy_rig import resident_bytes
from benchmarks.row import Row
from benchmarks.rule_watch import GONE, LIVE, wait_for_all

PODS = 200
CALLERS = 8
"""Pods that make the calls, by turns."""
EVERY = 0.1
"""Seconds from one annotation to the next."""
STARTING = 1200
"""Seconds that the pods get to start."""
ROUNDS = 5
CALM = 5.0
"""Seconds before each: a kubelet is busy for a while with pods that have just started, or changed."""


def run() -> Iterator[Row]:
    """Give the rows as they are measured; without root none, for there are no nodes to be had."""
    if os.geteuid():
        print("bench: crowd needs root: left out", file=sys.stderr)
        return
    with node_rig({"maxPods": PODS + 20}) as made:
        pods = made.pods(*(f"web-{number}" for number in range(PODS)), seconds=STARTING)
        yield _together(made, pods)
        yield _one_by_one(made, pods)
        yield from _memory(made, pods)


def _together(made: NodeRig, pods: Sequence[BenchPod]) -> Row:
    """Enrol all at once by their namespace's label, some times."""
    rules = [pod.rules for pod in pods]
    slowest, middle = [], []
    for _ in range(ROUNDS):
        sleep(CALM)
        made.mark("", "labels", "true")
        began = monotonic()
        took = [moment - began for moment in wait_for_all(rules, LIVE)]
        slowest.append(percentile(took, 99))
        middle.append(statistics.median(took))
        for one in rules:
            one.forget()
        made.mark("", "labels", None)
        wait_for_all(rules, GONE)
    rounds = ", ".join(f"{one:.2f}" for one in slowest)
    return Row(
        f"namespace label to rules of {PODS} real pods, p99",
        statistics.median(slowest),
        "s",
        1,
        None,
        at_least=False,
        note=f"median of {ROUNDS} rounds: {rounds}; median of a round's pods {statistics.median(middle):.2g} s",
    )


def _one_by_one(made: NodeRig, pods: Sequence[BenchPod]) -> Row:
    """Enrol one after the other, beside those that are already, and leave them so."""
    took = []
    for pod in pods:
        took.append(made.enrol(pod))
        sleep(max(0.0, EVERY - took[-1]))
    note = f"median {statistics.median(took) * 1000:.0f} ms"
    return Row(
        f"annotation to rule, p99, one of {PODS} real pods",
        percentile(took, 99),
        "s",
        1,
        None,
        at_least=False,
        note=note,
    )


def _memory(made: NodeRig, pods: Sequence[BenchPod]) -> Iterator[Row]:
    pids = {"node proxy": made.installation.proxy.pid, "node agent": made.installation.agent.pid}
    residents = {f"{name}'s memory": partial(resident_bytes, pid) for name, pid in pids.items()}
    callers = itertools.cycle([made.stand_in(pod) for pod in pods[:CALLERS]])
    yield from growth(residents, lambda count: next(callers).drive(OBJECT, 2, count, *NAMES))
    for (name, resident), must in zip(residents.items(), (250, 180), strict=True):
        yield Row(f"{name}, {PODS} real pods", resident() / 1e6, "MB", must, None, at_least=False)
