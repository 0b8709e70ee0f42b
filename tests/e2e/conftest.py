"""One cluster, one service account and a few pods that never change, for all the end-to-end tests of a session."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from e2e.kubectl_steps import WEB
from e2e.programs import Programs
from e2e.robot import Robot, create_robot, remove_robot
from e2e.ways import Way, direct, through

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cluster.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Shop:
    """A service account with a running Deployment `web` in its namespace."""

    cluster: Cluster
    robot: Robot
    programs: Programs
    pod: str
    """Name of the one pod of `web`."""
    environment: dict[str, str]

    @property
    def kubectl(self) -> str:
        return str(self.programs.kubectl)


@pytest.fixture(scope="session")
def programs(cluster: Cluster) -> Programs:
    """Everything the clients are made of, built."""
    return Programs.build(cluster.kubectl_path)


@pytest.fixture(scope="session")
def shop(cluster: Cluster, programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shared namespace; tests that change something in it use names of their own."""
    folder = tmp_path_factory.mktemp("shop")
    robot = create_robot(cluster, folder)
    space = ("--namespace", robot.namespace)
    cluster.kubectl("apply", "--filename", WEB, *space)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *space)
    (pod,) = cluster.get("pods", "--selector=app=web", *space)["items"]
    yield Shop(cluster, robot, programs, pod["metadata"]["name"], client_environment(robot.kubeconfig, folder))
    remove_robot(cluster, robot)


@pytest.fixture
def ways(shop: Shop, tmp_path: Path) -> tuple[Way, Way]:
    """The direct way and the one through apisnoop, as the shop's service account."""
    return direct(shop.environment), through(shop.environment, tmp_path)


def client_environment(kubeconfig: Path, folder: Path) -> dict[str, str]:
    """Give the environment of a client: nothing of the person's own settings, caches in a folder that goes."""
    folders = {"HELM_CACHE_HOME": "helm", "HELM_CONFIG_HOME": "helm", "HELM_DATA_HOME": "helm", "HOME": "home"}
    caches = {"KUBECACHEDIR": str(folder / "kubectl"), **{name: str(folder / value) for name, value in folders.items()}}
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **caches, "KUBECONFIG": str(kubeconfig), "KUBERC": "off", "TERM": "xterm"}
