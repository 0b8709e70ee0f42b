"""The part of the workload that people do: kubectl commands, one after the other."""

from __future__ import annotations

import os
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.patience import PATIENCE, WAIT

if TYPE_CHECKING:
    from collections.abc import Iterator

WEB = Path(__file__).parent / "web.yaml"
POD = "deployment/web"
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}

# Each is one line; what may fail (a missing object, a refusal) is in MAY_FAIL.
BEFORE = """
version
api-resources --cached=false
explain deployment.spec.replicas
auth can-i create pods
apply -f {web}
rollout status deployment/web {wait}
wait --for=condition=Available deployment/web {wait}
get deployments,services,configmaps,pods
get pods -o json
get pods --chunk-size=1 -o name
get all
get namespaces
get nodes -o wide
describe deployment web
get events
logs deployment/web
logs deployment/web --tail=2 --timestamps
exec deployment/web -- cat /etc/passwd
get --raw /healthz
get --raw /version
"""
CHANGES = """
create configmap colors --from-literal=red=1
create secret generic key --from-literal=password=hunter2
create job once --image=local/busybox:1 -- true
create serviceaccount helper
create role looker --verb=get --resource=pods
get configmap colors -o yaml
label configmap colors shade=dark
annotate configmap colors note=none
patch configmap colors -p {{"data":{{"blue":"2"}}}}
patch configmap colors --type=merge -p {{"data":{{"green":"3"}}}}
patch configmap colors --type=json -p [{{"op":"remove","path":"/data/red"}}]
apply --server-side --force-conflicts -f {web}
apply --dry-run=server -f {web}
diff -f {web}
scale deployment/web --replicas=2
scale deployment/web --replicas=1
set image deployment/web web=local/busybox:1
autoscale deployment web --max=2
get hpa
create token helper
auth can-i --list
"""
AFTER = """
delete hpa web
delete job once
delete configmap colors --ignore-not-found
delete configmaps --selector=shade=dark
delete secret key
delete serviceaccount helper
delete role looker
delete -f {web} --wait=true
"""
MAY_FAIL = """
get configmap no-such-thing
get pods --namespace kube-system
delete secret no-such-thing
get --raw /api/v1/no-such-resource
get --raw /apis/no.such.group/v1/things
"""


class Kubectl:
    """kubectl as one user; counts how often it ran."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.runs = 0

    def __call__(self, *words: str, stdin: str = "", may_fail: bool = False, **environment: str) -> str:
        """Run kubectl and return its standard output; raise RuntimeError where it fails and may not."""
        self.runs += 1
        done = subprocess.run(
            [self._program, *words],
            input=stdin,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode and not may_fail:
            raise RuntimeError(f"kubectl {' '.join(words)} left with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def until(self, wanted: str, *words: str) -> None:
        """Run kubectl until a line of its output holds `wanted`, then end it as Ctrl-C does."""
        self.runs += 1
        with subprocess.Popen([self._program, *words], stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            found = any(wanted in line for line in running.stdout)
            running.terminate()
        if not found:
            raise RuntimeError(f"kubectl {' '.join(words)} ended before it said {wanted!r}")


def run_kubectl(program: str) -> int:
    """Do everything that kubectl does, in the namespace of its context; return the number of commands."""
    kubectl = Kubectl(program)
    for words in _commands(BEFORE):
        kubectl(*words)
    for words in _commands(MAY_FAIL):
        kubectl(*words, may_fail=True)
    kubectl("exec", "-i", POD, "--", "cat", stdin="hello\n")
    kubectl("exec", "-i", POD, "--", "cat", stdin="hello\n", **SPDY)
    kubectl.until("line 9", "logs", "-f", POD)
    kubectl.until("web", "get", "pods", "--watch")
    _copy(kubectl)
    _forward(kubectl, {})
    _forward(kubectl, SPDY)
    for words in _commands(CHANGES):
        kubectl(*words)
    for words in _commands(AFTER):
        kubectl(*words)
    return kubectl.runs


def _commands(text: str) -> Iterator[list[str]]:
    for line in text.strip().format(web=WEB, wait=WAIT).splitlines():
        yield line.split(" ")


def _copy(kubectl: Kubectl) -> None:
    pod = kubectl("get", "pods", "--selector=app=web", "-o", "name").split("/")[1].strip()
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder, "there"), Path(folder, "back")
        there.write_bytes(os.urandom(100_000))
        kubectl("cp", str(there), f"{pod}:/tmp/copied")
        kubectl("cp", f"{pod}:/tmp/copied", str(back))
        if there.read_bytes() != back.read_bytes():
            raise RuntimeError("kubectl cp there and back changed the file")


def _forward(kubectl: Kubectl, environment: dict[str, str]) -> None:
    """Fetch a page from the pod through `kubectl port-forward`."""
    kubectl.runs += 1
    command = [kubectl._program, "port-forward", POD, ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as running:
        assert running.stdout is not None
        address = next(line for line in running.stdout if "127.0.0.1" in line).split()[2]
        with urllib.request.urlopen(f"http://{address}/passwd", timeout=PATIENCE) as page:
            page.read()
        running.terminate()
