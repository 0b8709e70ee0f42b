"""What the benchmarks inside a cluster are made of: a node with agent and proxy on it, pods, and what the pods talk to.

Agent and proxy are the shipped programs as processes of a real node, and follow a real API server. What pods ask under
load is a stand-in (benchmarks/load), because it costs less: to the agent a further address of the API server, with a
certificate of the cluster's own authority, so that redirects, handshakes and recorder are those of any call.
"""

import http.client
import json
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from subprocess import PIPE
from time import monotonic, sleep
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from apisnoop.node.status import ProxyStatus
from benchmarks.proxy_rig import Proxy, Target, build_load, listening, stock
from benchmarks.rule_watch import GONE, LIVE, NEW, RuleWatch, first_processes
from cluster.cluster import Cluster
from cluster.pki import Authority, KeyPair
from tests.inside.installation import Installation

NAMESPACE = "bench"
PROGRAMS = "/programs"
LOAD = Path(PROGRAMS) / "load"
TRUSTED = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
MERGE = "application/merge-patch+json"
MARK = "apisnoop"
PATIENCE, PAUSE = 5.0, 0.1


@dataclass(frozen=True, slots=True)
class BenchPod:
    """A running pod with the load program in it."""

    cluster: Cluster
    name: str
    rules: RuleWatch

    def load(self, words: Sequence[str]) -> str:
        """Run the load program, or another, to its end; return its output."""
        return self.cluster.kubectl("exec", self.name, f"--namespace={NAMESPACE}", "--", *words, timeout=600)

    @contextmanager
    def figures(self, *words: str) -> Iterator[Callable[[], float]]:
        """Start `load connect` or `load pour`; give what has it work once and returns what it says, for each second."""
        command = [str(self.cluster.kubectl_path), "exec", "-i", self.name, f"--namespace={NAMESPACE}", "--"]
        with subprocess.Popen(
            [*command, str(LOAD), *words], stdin=PIPE, stdout=PIPE, env=self.cluster.environment
        ) as started:
            assert started.stdin is not None
            assert started.stdout is not None
            yield partial(_turn, started.stdin, started.stdout)
            started.stdin.close()
        if started.returncode:
            raise RuntimeError(f"load {words[0]} in pod {self.name} has failed")


class NodeRig:
    """A node with agent and proxy, and the stand-in at `server` (ADDRESS:PORT)."""

    def __init__(self, installation: Installation, folder: Path, programs: Path, pair: KeyPair, server: str) -> None:
        self.installation, self.cluster = installation, installation.cluster
        self._folder, self._programs, self._pair, self.server = folder, programs, pair, server
        self._api = _connect(self.cluster)

    # -- pods --------------------------------------------------------------------------------------------------------

    def pods(self, *names: str, seconds: int = 120) -> list[BenchPod]:
        """Create pods, and return when they run."""
        items = [_pod(name, self._programs) for name in names]
        self.cluster.apply({"apiVersion": "v1", "kind": "List", "items": items}, NAMESPACE)
        self.cluster.kubectl(
            "wait", "--for=condition=Ready", "pod", "--all", f"--timeout={seconds}s", f"--namespace={NAMESPACE}",
            timeout=seconds + 10,
        )  # fmt: skip
        found = self.cluster.get("pods", f"--namespace={NAMESPACE}")["items"]
        uids = {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}
        processes = first_processes([uids[name] for name in names])
        return [BenchPod(self.cluster, name, RuleWatch(processes[uids[name]])) for name in names]

    def mark(self, path: str, part: str, value: str | None) -> None:
        """Set or remove `apisnoop` among the annotations or labels of the namespace (path "") or what is below it."""
        body = json.dumps({"metadata": {part: {MARK: value}}})
        self._api.close()  # the API server has done so, if it was idle for long
        self._api.request("PATCH", f"/api/v1/namespaces/{NAMESPACE}{path}", body, {"Content-Type": MERGE})
        answer = self._api.getresponse()
        said = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{path} could not be marked: {said.decode()}")

    def annotate(self, pod: BenchPod, value: str | None) -> None:
        """Annotate a pod, or take its annotation away."""
        self.mark(f"/pods/{pod.name}", "annotations", value)

    def enrol(self, pod: BenchPod) -> float:
        """Annotate a pod; return the seconds from when the API server has answered until the rule is in place."""
        pod.rules.forget()
        self.annotate(pod, "true")
        began = monotonic()
        pod.rules.wait(LIVE)
        return monotonic() - began

    def settle(self, pod: BenchPod) -> None:
        """Wait until an enrolled pod's other traffic is left untracked, as it is for the rest of its time."""
        pod.rules.forget()
        for notice in (NEW, LIVE):
            pod.rules.wait(notice)

    def release(self, *pods: BenchPod) -> None:
        """Take the annotations of pods away, and wait until nothing of ours is in them."""
        for pod in pods:
            pod.rules.forget()
            self.annotate(pod, None)
        for pod in pods:
            pod.rules.wait(GONE)

    # -- what they ask -----------------------------------------------------------------------------------------------

    def stand_in(self, pod: BenchPod) -> Target:
        """Give the stand-in as a pod reaches it: directly, or through the proxy when it is enrolled."""
        return Target(LOAD, f"https://{self.server}", TRUSTED, pod.load)

    def through(self, pod: BenchPod) -> Proxy:
        """Give the same with what works for it on the node: proxy and agent."""
        pids = (self.installation.proxy.pid, self.installation.agent.pid)
        return _Recorded(partial(self._calls, pod.name), pids, LOAD, f"https://{self.server}", TRUSTED, pod.load)

    def _calls(self, name: str) -> int:
        status = msgspec.convert(self.installation.proxy_status(), ProxyStatus)
        return sum(one.calls for one in status.pods if one.name == name)

    @contextmanager
    def mitmdump(self, pod: BenchPod) -> Iterator[Proxy]:
        """Start stock mitmdump before the stand-in; the pod asks it by its address, without a redirect."""
        both = self._folder / "both.pem"
        both.write_bytes(self._pair.key.read_bytes() + self._pair.certificate.read_bytes())
        with stock(both, self.server, self.cluster.ca_file) as (pid, port):
            host = self.server.rpartition(":")[0]
            yield Proxy([pid], LOAD, f"https://{host}:{port}", TRUSTED, pod.load)

    @contextmanager
    def sink(self) -> Iterator[str]:
        """Start something that is no API server; give its address."""
        host = self.server.rpartition(":")[0]
        with listening(self._programs / "load", "sink", "-listen", f"{host}:0") as port:
            yield f"{host}:{port}"


class _Recorded(Proxy):
    """The node's proxy: a figure is only one if every call of it went through the proxy and was recorded."""

    def __init__(self, calls: Callable[[], int], *more: Any) -> None:  # noqa: ANN401 - what a proxy takes
        super().__init__(*more)
        self._calls = calls

    def drive(self, path: str, protocol: int, requests: int, *more: str) -> dict[str, Any]:
        before = self._calls()
        result = super().drive(path, protocol, requests, *more)
        recorded, deadline = self._calls() - before, monotonic() + PATIENCE
        while recorded < requests and monotonic() < deadline:
            sleep(PAUSE)  # a call is counted a moment after its answer
            recorded = self._calls() - before
        if recorded < requests:
            raise RuntimeError(
                f"of {requests} calls {recorded} were recorded: the machine is too busy, and the agent lets calls past"
            )
        return result


@contextmanager
def node_rig(kubelet: Mapping[str, Any] | None = None) -> Iterator[NodeRig]:
    """Start a cluster of one node, agent, proxy and stand-in. `kubelet` are fields of its configuration. Needs root."""
    with Cluster.start(kubelet=kubelet) as cluster, tempfile.TemporaryDirectory() as name:
        folder, programs = Path(name), cluster.nodes[0].directory / "programs"  # which the node sees at the same place
        programs.mkdir()
        build_load(programs / "load")
        host = str(urlsplit(cluster.apiserver_url).hostname)
        pair = Authority.load(cluster.ca_file.parent).issue(
            "stand-in", user="stand-in", hosts=["kubernetes.default.svc", IPv4Address(host)], directory=folder
        )
        files = ("-certificate", pair.certificate, "-key", pair.key)
        with listening(programs / "load", "serve", "-listen", f"{host}:0", *files) as port:
            server = f"{host}:{port}"
            installation = Installation(cluster, folder, APISNOOP_EXTRA_DESTINATIONS=server)
            installation.start()
            cluster.kubectl("create", "namespace", NAMESPACE)
            cluster.kubectl("wait", "serviceaccount/default", "--for=create", f"--namespace={NAMESPACE}")
            try:
                yield NodeRig(installation, folder, programs, pair, server)
            finally:
                installation.stop()


def _turn(commands: IO[bytes], results: IO[bytes]) -> float:
    commands.write(b"\n")
    commands.flush()
    found = json.loads(results.readline())
    return float(found["count"] / found["seconds"])


def _connect(cluster: Cluster) -> http.client.HTTPSConnection:
    """Connect to the API server as an administrator: kubectl would take longer to start than what is measured."""
    address = urlsplit(cluster.apiserver_url)
    admin = cluster.client_certificate("apisnoop-bench", ["system:masters"])
    trusting = ssl.create_default_context(cafile=str(cluster.ca_file))
    trusting.load_cert_chain(admin.certificate, admin.key)
    return http.client.HTTPSConnection(str(address.hostname), address.port, context=trusting, timeout=60)


def _pod(name: str, programs: Path) -> dict[str, Any]:
    """Render a pod that waits for programs to be run in it."""
    container = {
        "name": "app",
        "image": "local/busybox:1",
        "imagePullPolicy": "Never",
        "command": ["sleep", "infinity"],
        "volumeMounts": [{"name": "programs", "mountPath": PROGRAMS, "readOnly": True}],
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "programs", "hostPath": {"path": str(programs), "type": "Directory"}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
