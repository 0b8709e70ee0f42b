"""One cluster with one node, on which agent and proxy run, for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cluster.binaries import build
from cluster.cluster import Cluster
from cluster.existing import ExistingCluster
from e2e.programs import CLIENTS
from e2e.robot import Robot, create_robot, remove_robot
from tests.inside.installation import Installation
from tests.inside.pods import Pod, create_pods
from tests.inside.seen import Tap, Truth, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


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

    def pods(self, *names: str, containers: Sequence[str] = ("app",)) -> list[Pod]:
        """Create pods."""
        return create_pods(self.cluster, self.namespace, self.clients, names, containers)

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
    made.start()
    yield made
    made.stop()


@pytest.fixture
def shop(installation: Installation, tmp_path: Path) -> Iterator[Shop]:
    """A namespace, which goes with all that is in it."""
    robot = create_robot(installation.cluster, tmp_path)
    yield Shop(installation, robot, build(CLIENTS) / "clients")
    remove_robot(installation.cluster, robot)
