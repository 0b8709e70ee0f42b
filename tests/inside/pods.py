"""Pods whose programs talk to the API as pods do: with their own service account, at the address they are given."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cluster.cluster import Cluster

IMAGE = "local/kubectl:1"
PROGRAMS = "/programs"
CLIENTS = f"{PROGRAMS}/clients"


@dataclass(frozen=True, slots=True)
class Pod:
    """A running pod with kubectl and the tests' clients in it."""

    cluster: Cluster
    namespace: str
    name: str

    def annotate(self, *marks: str) -> None:
        """Set (`key=value`) or remove (`key-`) annotations."""
        self.cluster.kubectl("annotate", "--overwrite", f"pod/{self.name}", *marks, "--namespace", self.namespace)

    def command(self, *words: str, container: str = "app") -> list[str]:
        """Give the command line that runs a program in a container, as the administrator."""
        where = ["exec", "-i", self.name, f"--container={container}", "--namespace", self.namespace, "--"]
        return [str(self.cluster.kubectl_path), *where, *words]

    def start(self, *words: str, container: str = "app") -> subprocess.Popen[bytes]:
        """Start a program in a container."""
        return subprocess.Popen(
            self.command(*words, container=container),
            env=self.cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str, container: str = "app", timeout: float = 120.0) -> str:
        """Run a program in a container; raise CalledProcessError with what it said if it fails."""
        return self.cluster.run(*self.command(*words, container=container), timeout=timeout)

    @property
    def status(self) -> Any:
        return self.cluster.get("pod", self.name, "--namespace", self.namespace)["status"]

    @property
    def address(self) -> str:
        return str(self.status["podIP"])

    @property
    def uid(self) -> str:
        return str(self.cluster.get("pod", self.name, "--namespace", self.namespace)["metadata"]["uid"])

    def delete(self) -> None:
        """Delete it and wait until it is gone."""
        self.cluster.kubectl("delete", f"pod/{self.name}", "--now", "--namespace", self.namespace)


def create_pods(
    cluster: Cluster, namespace: str, clients: Path, names: Sequence[str], containers: Sequence[str] = ("app",)
) -> list[Pod]:
    """Create pods that wait for programs to be run in them, and return when they are ready."""
    items = [pod_object(name, clients, containers) for name in names]
    cluster.apply({"apiVersion": "v1", "kind": "List", "items": items}, namespace)
    named = [f"pod/{name}" for name in names]
    cluster.kubectl("wait", "--for=condition=Ready", *named, "--timeout=60s", "--namespace", namespace)
    return [Pod(cluster, namespace, name) for name in names]


def pod_object(name: str, clients: Path, containers: Sequence[str]) -> dict[str, Any]:
    """Render a pod of the service account `robot`; the clients come from the folder where they were built."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceAccountName": "robot",
            "terminationGracePeriodSeconds": 0,
            "containers": [container_object(container) for container in containers],
            "volumes": [{"name": "programs", "hostPath": {"path": str(clients.parent), "type": "Directory"}}],
        },
    }


def container_object(name: str) -> dict[str, Any]:
    """Render a container that sleeps."""
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "env": [{"name": "KUBERC", "value": "off"}, {"name": "HOME", "value": "/tmp"}],
        "volumeMounts": [{"name": "programs", "mountPath": PROGRAMS, "readOnly": True}],
    }


def answers(output: bytes) -> list[dict[str, Any]]:
    """Read what `clients poll` has printed."""
    return [json.loads(line) for line in output.splitlines()]
