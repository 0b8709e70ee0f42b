"""New pods of every kind, in namespaces of every level of PodSecurity, are recorded from their first request on."""

from collections import Counter
from dataclasses import dataclass

import pytest

from e2e.audit_events import read_log
from tests.charts.installation import until
from tests.charts.workloads import REQUESTS, every_kind, listed
from tests.inside.clock import is_overload

pytestmark = pytest.mark.cluster
LEVELS = ("privileged", "baseline", "restricted")
ROUNDS = 4
"""In which a kind is played that met a machine so busy that one of its pods was let go."""
PATIENCE = 120.0
NEAR = 1.0
"""Seconds by which a request is received later than its connection began, or a gap is written down."""
OPERATION = "readCoreV1NamespacedConfigMap"


@dataclass(frozen=True, slots=True)
class Played:
    """A pod that has made its requests."""

    kind: str
    name: str
    recorded: int
    annotations: dict[str, str]
    prepared_by: str
    """Its first init container."""

    @property
    def is_complete(self):
        """Whether every one of its requests was recorded."""
        return self.recorded == REQUESTS


@pytest.mark.parametrize("level", LEVELS)
def test_new_pods_are_recorded_from_their_first_request_on(installed, two_nodes, a_namespace, tmp_path, level):
    """Each pod of each kind: as many calls as it has made, none fewer, and with container and account.

    A kind of which a pod was let go while it asked, because the machine was overloaded, is played again.
    """
    left = set(every_kind(""))
    for _ in range(ROUNDS):
        where = a_namespace(level)
        pods = play(installed, where, left, tmp_path)
        assert {one.kind for one in pods} == left
        assert all(one.annotations["apisnoop/injected"] for one in pods)
        assert {one.prepared_by for one in pods} == {"apisnoop-wait"}
        left = {one.kind for one in pods if not one.is_complete}
        if not left:
            return
    pytest.fail(f"the machine is too busy: of {sorted(left)} a pod was let go each time")


def play(installed, where, kinds, folder):
    """Make one of each kind; give its pods when all that they asked is recorded, or has an excuse."""
    things = [thing for kind, thing in every_kind(where).items() if kind in kinds]
    installed.cluster.kubectl("apply", "--filename=-", "--namespace", where, stdin=listed(*things))
    expected = Counter({kind: len(installed.cluster.nodes) if kind == "daemon" else 1 for kind in kinds})

    def complete():
        counted = recorded(installed, where, folder)
        found = installed.cluster.get("pods", "--namespace", where)["items"]
        pods = [played(one, counted) for one in found]
        assert all(one.recorded <= REQUESTS for one in pods), pods
        if Counter(one.kind for one in pods) != expected:
            return None
        lacking = [one for one in pods if not one.is_complete]
        excused = lacking and are_excused(installed, where, lacking, folder)
        return pods if excused or not lacking else None

    return until(complete, PATIENCE)


def played(pod, counted):
    """Make the value of a pod and of what was recorded, by its name."""
    metadata, (first, *_) = pod["metadata"], pod["spec"].get("initContainers", [{"name": ""}])
    name, annotations = metadata["name"], metadata.get("annotations", {})
    return Played(name.partition("-")[0], name, counted[name], annotations, first["name"])


def recorded(installed, where, folder):
    """Count the calls of each pod of a namespace."""
    counted = Counter()
    for (name, *caller), count in installed.calls_of(folder, where).items():
        assert caller == ["app", f"{where}/default", OPERATION]
        counted[name] += count
    return counted


def are_excused(installed, where, pods, folder):
    """Tell whether each of these pods has asked for all, and lacks no more than it asked in its gaps of overload."""
    user = f"system:serviceaccount:{where}:default"
    events = [event for event in read_log(installed.cluster.audit_log) if event.user == user and event.ended]
    gaps = [gap for gap in installed.gaps(folder) if gap.namespace == where and is_overload(gap)]
    return all(_is_excused(one, events, [gap for gap in gaps if gap.pod == one.name]) for one in pods)


def _is_excused(pod, events, gaps):
    asked = [event.received for event in events if event.pod == pod.name]
    within = sum(any(_holds(gap, moment) for gap in gaps) for moment in asked)
    return len(asked) == REQUESTS and REQUESTS - pod.recorded <= within


def _holds(gap, moment):
    return gap.start - NEAR <= moment and (gap.end is None or moment <= gap.end + NEAR)
