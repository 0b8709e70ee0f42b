"""Pods whose programs talk to the API as pods do: with their own service account, at the address they are given."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cluster.cluster import Cluster

IMAGE = "local/kubectl:1"
PROGRAMS = "/programs"
CLIENTS = f"{PROGRAMS}/clients"
EMPTY: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class Running:
    """A program that runs in a pod. What it says goes to files, so that it never waits for a reader."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - until it has been read
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._errors
        )

    def finish(self, seconds: float = 180.0) -> tuple[str, str]:
        """Wait for its end; return its standard output and errors. Raises CalledProcessError when it has failed."""
        try:
            code = self._process.wait(seconds)
        finally:
            self._process.kill()
        output, errors = (_content(file) for file in (self._output, self._errors))
        if code:
            failure = subprocess.CalledProcessError(code, self._process.args, output, errors)
            failure.add_note(errors)
            raise failure
        return output, errors

    def answers(self, seconds: float = 180.0) -> list[Answer]:
        """Wait for the end of a poller, and return what it was answered, in the order in which it asked."""
        return read_answers(self.finish(seconds)[0])


class Answer(msgspec.Struct, frozen=True):
    """One line of `clients poll`. Moments are seconds since the epoch."""

    at: float
    opened: float
    """When the connection was begun, 0 if there was none."""
    seconds: float
    status: int
    audit_id: str
    error: str = ""
    local: str = ""
    """The near end of its connection."""
    serial: str = ""
    """Of the certificate that was shown, hexadecimal: the API server's own, or the proxy's."""

    @property
    def direct(self) -> bool:
        """Whether it came from the API server itself, whichever way."""
        return not self.error and bool(self.audit_id)


_decoder = msgspec.json.Decoder(Answer)


def read_answers(output: str) -> list[Answer]:
    """Read what `clients poll` has printed, in the order in which it asked."""
    return sorted((_decoder.decode(line) for line in output.splitlines()), key=lambda answer: answer.at)


def _content(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


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

    def start(self, *words: str, container: str = "app") -> Running:
        """Start a program in a container."""
        return Running(self.command(*words, container=container), self.cluster.environment)

    def poll(self, connections: str, rate: float, seconds: float, *more: str, container: str = "app") -> Running:
        """Start to ask for one ConfigMap again and again: over `fresh`, `http1` or `http2` connections."""
        path = f"--path=/api/v1/namespaces/{self.namespace}/configmaps/kube-root-ca.crt"
        words = (f"--connections={connections}", f"--rate={rate}", f"--for={seconds}s", path, *more)
        return self.start(CLIENTS, "poll", *words, container=container)

    def run(self, *words: str, container: str = "app", timeout: float = 120.0) -> str:
        """Run a program in a container; raise CalledProcessError with what it said if it fails."""
        return self.cluster.run(*self.command(*words, container=container), timeout=timeout)

    def events(self) -> list[str]:
        """Return what Events say of it."""
        of_it = ("--field-selector", f"involvedObject.name={self.name}", "--namespace", self.namespace)
        return [event["message"] for event in self.cluster.get("events", *of_it)["items"]]

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


def create_pods(cluster: Cluster, namespace: str, objects: Sequence[Mapping[str, Any]]) -> list[Pod]:
    """Create pods, and return when they are ready."""
    cluster.apply({"apiVersion": "v1", "kind": "List", "items": list(objects)}, namespace)
    names = [str(one["metadata"]["name"]) for one in objects]
    named = [f"pod/{name}" for name in names]
    cluster.kubectl("wait", "--for=condition=Ready", *named, "--timeout=60s", "--namespace", namespace)
    return [Pod(cluster, namespace, name) for name in names]


def pod_object(
    name: str, clients: Path, containers: Sequence[str] = ("app",), volumes: Mapping[str, Mapping[str, Any]] = EMPTY
) -> dict[str, Any]:
    """Render a pod of the service account `robot` that waits for programs to be run in it.

    `volumes` are read-only sources by the place where they are mounted. The clients come from the node's folder where
    they were built.
    """
    places = {PROGRAMS: host_path(clients.parent), **volumes}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "serviceAccountName": "robot",
            "terminationGracePeriodSeconds": 0,
            "containers": [_container(container, list(places)) for container in containers],
            "volumes": [{"name": f"v{number}", **source} for number, source in enumerate(places.values())],
        },
    }


def _container(name: str, places: Sequence[str]) -> dict[str, Any]:
    mounts = [{"name": f"v{number}", "mountPath": place, "readOnly": True} for number, place in enumerate(places)]
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "env": [{"name": "KUBERC", "value": "off"}, {"name": "HOME", "value": "/tmp"}],
        "volumeMounts": mounts,
    }


def host_path(path: Path | str) -> dict[str, Any]:
    """Render a folder of the node as a volume's source."""
    return {"hostPath": {"path": str(path), "type": "Directory"}}


def python_volumes() -> dict[str, dict[str, Any]]:
    """Give what a pod needs for the Python of these tests, at the same places as here."""
    tests = Path(__file__).parents[1]
    same = {str(place): host_path(place) for place in (sys.prefix, sys.base_prefix, tests)}
    return {"/lib": host_path("/usr/lib"), "/lib64": host_path("/usr/lib64"), **same}
