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
from e2e.patience import PATIENCE, WAIT, slowness
from e2e.python_steps import run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from e2e.programs import Programs

TESTS = Path(__file__).parent.parent
CHART = Path(__file__).parent / "chart"
END = "end-of-workload"
INFORMERS = "Go informers"
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
        """Run everything, and say of each part that it begins and what it did.

        Raises SubprocessError, RuntimeError or OSError if one fails, with a note of what was done by then.
        """
        done: list[str] = []
        with _noted(INFORMERS, done), self._informers():
            _tell("kubectl", done, lambda: f"{run_kubectl(self.kubectl)} commands")
            _tell("Helm", done, lambda: f"{self._release()} commands: install, upgrade, uninstall")
            _tell("Python client", done, lambda: f"{run_python(self.namespace, PYTHON_LIVES):,} calls, one watch")
            _tell("Go client", done, lambda: f"{self._load():,} calls")

    @contextmanager
    def _informers(self) -> Iterator[None]:
        """Keep informers open around a block; they end when a config map of a certain name appears."""
        options = [f"--namespace={self.namespace}", f"--rounds={INFORMER_ROUNDS}", f"--until={END}"]
        command = [self.clients, "informer", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) as informers:
            try:
                yield
                _output([self.kubectl, "create", "configmap", END])
                seen, _ = informers.communicate(timeout=PATIENCE)
                _output([self.kubectl, "delete", "configmap", END])
            except BaseException:
                informers.terminate()  # leaving the block waits for its end
                raise
        if informers.returncode:
            raise subprocess.CalledProcessError(informers.returncode, command)
        print(f"{INFORMERS:<15}{len(seen.splitlines())} objects in their caches at the end", flush=True)

    def _release(self) -> int:
        """Install, upgrade and uninstall a chart, waiting each time until the cluster is as it says."""
        _output([self.helm, "install", "shop", CHART, "--wait", WAIT])
        _output([self.helm, "upgrade", "shop", CHART, "--set=greeting=goodbye", "--wait", WAIT])
        _output([self.helm, "list"])
        _output([self.helm, "uninstall", "shop", "--wait", WAIT])
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
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    done = subprocess.run(command, stdin=none, stdout=pipe, text=True, check=True, timeout=PATIENCE)
    return done.stdout


def _tell(name: str, done: list[str], part: Callable[[], str]) -> None:
    """Run a part between two lines, and add it to what is done."""
    print(f"{name:<15}begins", flush=True)
    started = time.monotonic()
    with _noted(name, done):
        said = part()
    done.append(name)
    print(f"{name:<15}{said} ({time.monotonic() - started:.0f} s)", flush=True)


@contextmanager
def _noted(name: str, done: Sequence[str]) -> Iterator[None]:
    """Note on the first failure which part it was, and what was done by then."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "__notes__", ()):
            error.add_note(f"That was the part {name}; done by then: {', '.join(done) or 'nothing'}.")
        raise


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
        except (subprocess.SubprocessError, RuntimeError, OSError) as error:
            sys.exit("\n".join([f"workload: {error}", *getattr(error, "__notes__", ()), *slowness(error)]))


if __name__ == "__main__":
    main()
