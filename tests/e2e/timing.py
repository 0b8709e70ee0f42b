"""How much later, and how much slower: a program that times kubectl both ways in turn.

It is run by `apisnoop run -- python -m e2e.timing ...`: the kubeconfig that apisnoop gives it is one way, the original
one, named by --direct, the other. Taking turns, both meet the same machine in the same mood. It prints one JSON object:
for each scenario a list of rounds, each with the median seconds of its tries by each way.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl by one of the ways, and the pods to work on."""

    program: str
    environment: Mapping[str, str]
    pod: str
    talker: str
    """A pod with a long log."""
    file: Path
    """A large file."""

    def first_byte(self, *words: str) -> float:
        """Time a command until the first byte of its output, then end it."""
        started = time.perf_counter()
        with self._start(*words) as running:
            assert running.stdout is not None
            if not os.read(running.stdout.fileno(), 1):
                raise RuntimeError(f"kubectl {' '.join(words)} said nothing")
            seconds = time.perf_counter() - started
            running.terminate()
        return seconds

    def whole(self, *words: str) -> float:
        """Time a command to its end."""
        started = time.perf_counter()
        with self._start(*words) as running:
            assert running.stdout is not None
            while os.read(running.stdout.fileno(), CHUNK):
                pass
        if running.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)} left with {running.returncode}")
        return time.perf_counter() - started

    def forwarded(self) -> float:
        """Time the first byte of a page through `port-forward`, from the connection on."""
        with self._start("port-forward", self.pod, ":8080") as running:
            assert running.stdout is not None
            port = int(running.stdout.readline().split(b"127.0.0.1:")[1].split()[0])
            started = time.perf_counter()
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /passwd HTTP/1.0\r\n\r\n")
                connection.recv(1)
                seconds = time.perf_counter() - started
                while connection.recv(CHUNK):
                    pass
            running.terminate()
        return seconds

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [self.program, *words]
        return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


FIRST_BYTES: dict[str, Callable[[Kubectl], float]] = {
    "get": lambda kubectl: kubectl.first_byte("get", "services", "-o", "name"),
    "get --watch": lambda kubectl: kubectl.first_byte("get", "services", "--watch", "-o", "name"),
    "logs --follow": lambda kubectl: kubectl.first_byte("logs", "--follow", kubectl.pod),
    "exec": lambda kubectl: kubectl.first_byte("exec", kubectl.pod, "--", "echo", "hello"),
    "port-forward": Kubectl.forwarded,
}
WHOLE: dict[str, Callable[[Kubectl], float]] = {
    "cp to the pod": lambda kubectl: kubectl.whole("cp", str(kubectl.file), f"{kubectl.pod}:/tmp/large"),
    "cp from the pod": lambda kubectl: kubectl.whole("cp", f"{kubectl.pod}:/tmp/large", os.devnull),
    "logs": lambda kubectl: kubectl.whole("logs", kubectl.talker),
}


def main() -> None:
    """Time everything both ways."""
    parser = argparse.ArgumentParser()
    for name in ("direct", "kubectl", "pod", "talker"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tries", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large")
        large.write_bytes(os.urandom(CHUNK) * options.megabytes)
        ways = {
            way: Kubectl(options.kubectl, environment, options.pod, options.talker, large)
            for way, environment in (("direct", {**os.environ, "KUBECONFIG": options.direct}), ("apisnoop", os.environ))
        }
        for kubectl in ways.values():  # fills kubectl's caches
            kubectl.whole("get", "services")
        scenarios = {**FIRST_BYTES, **WHOLE}
        times: dict[str, list[dict[str, float]]] = {name: [] for name in scenarios}
        for _ in range(options.rounds):
            for name, scenario in scenarios.items():
                times[name].append(take_turns(ways, scenario, options.tries if name in FIRST_BYTES else 1))
    print(json.dumps(times))


def take_turns(ways: Mapping[str, Kubectl], scenario: Callable[[Kubectl], float], tries: int) -> dict[str, float]:
    """Time a scenario several times, the ways one after the other, and return the median of each."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(tries):
        for way, kubectl in ways.items():
            times[way].append(scenario(kubectl))
    return {way: statistics.median(tries) for way, tries in times.items()}


if __name__ == "__main__":
    main()
