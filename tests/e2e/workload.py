"""What runs against the API server, as one program: `python -m e2e.workload`, with KUBECONFIG naming the user.

kubectl, a Helm release, the official Python client with a watch, and programs in Go: one that keeps informers open all
the while, one that makes most of the calls. More than five thousand calls in about a minute on two cores. It knows
nothing of who may be listening.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.kubectl_steps import run_kubectl
from e2e.python_steps import run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from e2e.programs import Programs

TESTS = Path(__file__).parent.parent
CHART = Path(__file__).parent / "chart"
END = "end-of-workload"
PYTHON_LIVES = 180
GO_CALLS = 3700
INFORMER_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Workload:
    """The programs to run and the namespace to run them in; the kubeconfig's context names the same one."""

    kubectl: str
    helm: str
    clients: str
    namespace: str

    def run(self) -> None:
        """Run everything, a line of progress for each part; raise CalledProcessError or RuntimeError if one fails."""
        with self._informers():
            _tell("kubectl", lambda: f"{run_kubectl(self.kubectl)} commands")
            _tell("Helm", lambda: f"{self._release()} commands: install, upgrade, uninstall")
            _tell("Python client", lambda: f"{run_python(self.namespace, PYTHON_LIVES):,} calls, one watch")
            _tell("Go client", lambda: f"{self._load():,} calls")

    @contextmanager
    def _informers(self) -> Iterator[None]:
        """Keep informers open around a block; they end when a config map of a certain name appears."""
        options = [f"--namespace={self.namespace}", f"--rounds={INFORMER_ROUNDS}", f"--until={END}"]
        command = [self.clients, "informer", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as informers:
            try:
                yield
            except BaseException:
                informers.terminate()
                raise
            _output([self.kubectl, "create", "configmap", END])
            seen, _ = informers.communicate(timeout=60)
            _output([self.kubectl, "delete", "configmap", END])
        if informers.returncode:
            raise subprocess.CalledProcessError(informers.returncode, command)
        print(f"{'Go informers':<15}{len(seen.splitlines())} objects in their caches at the end", flush=True)

    def _release(self) -> int:
        """Install, upgrade and uninstall a chart, waiting each time until the cluster is as it says."""
        _output([self.helm, "install", "shop", CHART, "--wait", "--timeout=60s"])
        _output([self.helm, "upgrade", "shop", CHART, "--set=greeting=goodbye", "--wait", "--timeout=60s"])
        _output([self.helm, "list"])
        _output([self.helm, "uninstall", "shop", "--wait", "--timeout=60s"])
        return 4

    def _load(self) -> int:
        command = [self.clients, "load", f"--namespace={self.namespace}", f"--calls={GO_CALLS}", "--workers=3"]
        return int(json.loads(_output(command))["calls"])


def workload_command(programs: Programs, namespace: str) -> list[str]:
    """Give the command line that runs the workload as a program of its own."""
    paths = (f"--{name}={getattr(programs, name)}" for name in ("kubectl", "helm", "clients"))
    return [sys.executable, "-m", "e2e.workload", *paths, f"--namespace={namespace}"]


def workload_environment(kubeconfig: Path) -> dict[str, str]:
    """Give the environment that the command needs."""
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(TESTS), "KUBERC": "off"}


def _output(command: Sequence[str | Path]) -> str:
    """Run a program and return its standard output; what it says when it fails goes to standard error."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    return done.stdout


def _tell(name: str, part: Callable[[], str]) -> None:
    started = time.monotonic()
    done = part()
    print(f"{name:<15}{done} ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> None:
    """Run the workload; caches of kubectl and Helm go to a folder that is removed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("kubectl", "helm", "clients", "namespace"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"KUBECACHEDIR": f"{folder}/kubectl", "HELM_CACHE_HOME": folder, "HELM_CONFIG_HOME": folder}
        try:
            Workload(**vars(options)).run()
        except (subprocess.SubprocessError, RuntimeError) as error:
            sys.exit(f"workload: {error}")


if __name__ == "__main__":
    main()
