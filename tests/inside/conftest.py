"""One cluster with one node, on which agent and proxy run, for all tests of this folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cluster.binaries import build
from cluster.cluster import Cluster
from cluster.existing import ExistingCluster
from e2e.programs import CLIENTS
from e2e.robot import Robot, create_robot, remove_robot
from tests.inside.installation import Installation
from tests.inside.pods import Pod, create_pods, pod_object
from tests.inside.seen import Tap, Truth, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTLED = 1.0
"""Seconds after which a connection is surely recorded: what is promised of an annotation."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A namespace of the test's own with a service account `robot` that administrates it."""

    installation: Installation
    robot: Robot
    clients: Path

    @property
    def cluster(self) -> Cluster:
        return self.installation.cluster

    @property
    def namespace(self) -> str:
        return self.robot.namespace

    def pods(self, *names: str, **more: Any) -> list[Pod]:
        """Create pods that are alike; see `pod_object` for what they may have."""
        objects = [pod_object(name, self.clients, **more) for name in names]
        return create_pods(self.cluster, self.namespace, objects)

    def recorded_pod(self, name: str, **more: Any) -> Pod:
        """Create a pod whose new connections are recorded."""
        (pod,) = self.recorded_pods(name, **more)
        return pod

    def recorded_pods(self, *names: str, **more: Any) -> list[Pod]:
        """Create several, which are alike."""
        pods = self.pods(*names, **more)
        for pod in pods:
            pod.annotate("apisnoop=true")
        for pod in pods:
            self.installation.until_recorded(pod)
        time.sleep(SETTLED)
        return pods

    def compare(self, tap: Tap, *, since: float = 0.0) -> Truth:
        """Compare what was recorded with the audit log."""
        return compare(self.cluster.audit_log, tap, self.robot.user, since=since)


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A node of our own: other tests run other agents on theirs."""
    if ExistingCluster.from_environment():
        pytest.skip("needs the nodes' own processes, which only the test cluster gives")
    with Cluster.start() as started:
        yield started


@pytest.fixture(scope="package")
def installation(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Agent and proxy, running."""
    made = Installation(cluster, tmp_path_factory.mktemp("installation"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def shop(installation: Installation, tmp_path: Path) -> Iterator[Shop]:
    """A namespace, which goes with all that is in it."""
    yield from _shop(installation, tmp_path)


@pytest.fixture(scope="module")
def module_shop(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all tests of a module."""
    yield from _shop(installation, tmp_path_factory.mktemp("shop"))


def _shop(installation: Installation, folder: Path) -> Iterator[Shop]:
    robot = create_robot(installation.cluster, folder)
    yield Shop(installation, robot, build(CLIENTS) / "clients")
    remove_robot(installation.cluster, robot)
