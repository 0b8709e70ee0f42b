"""The demo's second part: apisnoop in the cluster, and pods that are recorded because somebody annotated them.

From `install` to `uninstall` as a person would do it on a cluster of their own, with two proofs that only a test
cluster can give: the API server's audit log knows what the pods called, and the nodes can be searched for leftovers.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from apisnoop import __version__
from apisnoop.calls.recording import gaps_of
from apisnoop.store.recordings import recordings_in
from cluster import project_images
from e2e.demo_pods import DEPLOYMENT, POD, REPLICAS, complaints_in, demo_objects, rounds_in, whole_rounds
from e2e.demo_run import verdict
from e2e.demo_screen import Shell, say, step, tell
from e2e.demo_truth import attribution, compare_rounds, faults_of
from e2e.demo_viewer import find_call
from e2e.patience import PATIENCE, WAIT
from e2e.ways import APISNOOP
from tests.charts.installation import Installation
from tests.inside.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster import Cluster
    from e2e.demo_pods import Round
    from e2e.programs import Programs
    from e2e.robot import Robot

IMAGES = ("apisnoop", "apisnoop-proxy")
PROMISE = 1.0
"""Seconds after the annotation from which on connections are recorded."""
INSTALLED, REMOVED = "1500", "600"
"""Seconds that both may take; less than for a program that hangs, so that they say themselves what is missing."""
ROUNDS = 4
"""That every pod makes while it is recorded."""


def show_inside(cluster: Cluster, programs: Programs, robot: Robot, output: Path) -> list[str]:
    """Show it step by step, and return what is wrong: nothing, if the nodes recorded what the audit log has."""
    say("\nPart two: apisnoop in the cluster, pods with their own service account, nothing restarted")
    demo = _Inside(cluster, robot, output, Shell(_environment(cluster)))
    with step(f"1/8  Two images, built from this folder by scripts/build-image: {' and '.join(IMAGES)}"):
        demo.load_images()
    with step("2/8  Helm installs them: a node agent and a proxy on each node, a webhook, and a certificate Job"):
        demo.install()
    with step(f"3/8  A pod, and a Deployment with a pod on each node; all call the API as {robot.namespace}/robot"):
        demo.create_pods(programs.clients)
    with demo.watching():
        with step("4/8  Record them: one annotation each, while they run; a second later, all nodes are asked"):
            demo.switch_on()
        with step("5/8  What they called, as the nodes recorded it"):
            demo.report()
        with step("6/8  The calls as they come, in a browser: mitmweb, on the node of the pod"):
            tell(find_call(demo.installation, robot.namespace, POD))
        with step("7/8  Stop, and hold what was recorded against the API server's audit log, call by call"):
            faults = demo.switch_off_and_compare()
    with step("8/8  Uninstall, and look for traces"):
        faults += demo.uninstall()
    return faults


@dataclass(slots=True)
class _Inside:
    """What the steps share; they are taken in the order in which they stand here."""

    cluster: Cluster
    robot: Robot
    output: Path
    shell: Shell
    pods: list[str] = field(default_factory=list)
    promised: float = 0.0
    """From when on connections have to be recorded, in seconds since the epoch."""

    @property
    def installation(self) -> Installation:
        return Installation(self.cluster)

    @property
    def calls(self) -> Path:
        """Where the calls of all nodes are written as they come."""
        return self.output / "pods.jsonl"

    @property
    def complaints(self) -> Path:
        """What the watch says of itself; there afterwards if it is anything."""
        return self.output / "watch.log"

    def load_images(self) -> None:
        """Build the images and load them on both nodes."""
        tell("On a Debian with Python that is made once; a minute or two the first time, seconds later on.")
        with _scratch_folder(self.cluster) as folder:
            for name in IMAGES:
                archive = project_images.build(folder, name, __version__)
                self.cluster.load_image(archive)
                tell(f"{name}:{__version__}, {archive.stat().st_size >> 20} MiB, is on both nodes")

    def install(self) -> None:
        """Install with the viewer, which is off by default."""
        self.shell("kubectl", "apisnoop", "install", "--set", "mitmweb.enabled=true", "--timeout", INSTALLED)

    def create_pods(self, clients: Path) -> None:
        """Create the pods, and return when each has begun its work."""
        objects = {"apiVersion": "v1", "kind": "List", "items": demo_objects(self.robot.namespace, clients)}
        self.cluster.apply(objects, self.robot.namespace)
        self._kubectl("wait", f"pod/{POD}", "--for=condition=Ready", WAIT)
        self._kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", WAIT)
        found = self.cluster.get("pods", "--namespace", self.robot.namespace)["items"]
        self.pods = sorted(pod["metadata"]["name"] for pod in found)
        assert len(self.pods) == 1 + REPLICAS, self.pods
        wait_until(lambda: all(rounds_in(self._log(pod)) for pod in self.pods), "the pods to begin", PATIENCE)
        for pod in found:
            tell(f"{pod['metadata']['name']} on {pod['spec']['nodeName']}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the calls of all nodes written to a file during a block, as `watch` gives them."""
        command: list[str | Path] = [APISNOOP, "watch", "--namespace", self.robot.namespace, "--output", "json"]
        with self.calls.open("wb") as calls, self.complaints.open("wb") as log:
            running = subprocess.Popen(
                command, env=self.shell.environment, stdin=subprocess.DEVNULL, stdout=calls, stderr=log
            )
            try:
                yield
            finally:
                running.terminate()
                running.wait()
                if not self.complaints.stat().st_size:
                    self.complaints.unlink()

    def switch_on(self) -> None:
        """Mark the pod as anybody can, the Deployment as apisnoop does it; show how it is a second later."""
        where = ("--namespace", self.robot.namespace)
        self.shell("kubectl", "annotate", f"pod/{POD}", "apisnoop=true", *where)
        self.shell("kubectl", "apisnoop", "on", f"deploy/{DEPLOYMENT}", "--for", "1h", *where)
        self.promised = time.time() + PROMISE
        time.sleep(PROMISE)  # the promise itself
        self.shell("kubectl", "apisnoop", "status", *where)

    def report(self) -> None:
        """Let the pods work for some rounds, and show the coverage."""
        wait_until(
            lambda: all(len(some) >= ROUNDS for some in self._rounds(time.time()).values()), "the pods' work", PATIENCE
        )
        self.shell("kubectl", "apisnoop", "coverage", "--cluster", "--by", "pod", most=28)
        page = str(self.output / "pods.html")
        self.shell("kubectl", "apisnoop", "coverage", "--cluster", "--output", "html", "--output-file", page)

    def switch_off_and_compare(self) -> list[str]:
        """Take the marks back, and compare whole rounds of the time in between; return what is wrong."""
        ended = time.time()
        where = ("--namespace", self.robot.namespace)
        self.shell("kubectl", "annotate", f"pod/{POD}", "apisnoop-", *where)
        self.shell("kubectl", "apisnoop", "off", f"deploy/{DEPLOYMENT}", *where)
        rounds = self._outside_gaps(self._rounds(ended))
        truth = compare_rounds(self.cluster.audit_log, self.calls, self.robot, rounds)
        counted = sum(map(len, rounds.values()))
        tell(f"Compared: {counted} rounds of programs, begun {PROMISE:g} s or more after `on`, ended before `off`")
        tell(str(truth.agreement))
        tell(f"{verdict(truth.agreement)} Made by:")
        tell(attribution(truth))
        faults = [
            *faults_of(truth),
            *(f"NO round of {pod} could be compared" for pod, some in rounds.items() if not some),
        ]
        if faults:
            tell(self.complaints.read_text())
        wait_until(lambda: not self._rules(), "the pods' redirects to go", PATIENCE)
        tell(f"The redirects have gone from all {len(self.pods)} pods, which run on.")
        return faults

    def uninstall(self) -> list[str]:
        """Remove everything, and name what is left: objects in the cluster, rules in the pods, restarts."""
        self.shell("kubectl", "apisnoop", "uninstall", "--yes", "--timeout", REMOVED)
        left = [*self.installation.traces(), *self._rules(), *self._restarts(), *self._complaints()]
        if left:
            return [f"uninstall has left {one}" for one in left]
        tell("No trace: no ClusterRole, webhook, policy, certificate request, Secret or pod in the cluster;")
        tell("no nftables rule in any pod; and the pods have neither restarted nor seen a call fail.")
        return []

    def _rounds(self, until: float) -> dict[str, list[Round]]:
        """Give each pod's whole rounds between the promised moment and another."""
        return {pod: whole_rounds(rounds_in(self._log(pod)), self.promised, until) for pod in self.pods}

    def _outside_gaps(self, rounds: dict[str, list[Round]]) -> dict[str, list[Round]]:
        """Leave out rounds in which nodes report that they did not record, and say so."""
        with tempfile.TemporaryDirectory() as folder, self.installation.stores(Path(folder)) as stores:
            gaps = [gap for store in stores for gap in gaps_of(recordings_in(store))]
        kept = dict(rounds)
        for gap in gaps:
            before = kept.get(gap.pod, [])
            kept[gap.pod] = [one for one in before if not one.is_touched_by(gap)]
            if lost := len(before) - len(kept[gap.pod]):
                tell(f"Left out: {lost} of the rounds of {gap.pod}, as {gap.node} reports a gap ({gap.reason})")
        return {pod: kept[pod] for pod in self.pods}

    def _rules(self) -> list[str]:
        return [
            f"rules in {pod}:\n{rules}"
            for pod in self.pods
            if (rules := self.installation.rules(self.robot.namespace, pod))
        ]

    def _restarts(self) -> list[str]:
        found = self.cluster.get("pods", "--namespace", self.robot.namespace)["items"]
        counted = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in found}
        if sorted(counted) != self.pods:
            return [f"other pods than there were: {', '.join(sorted(counted))}"]
        return [f"{pod}, which restarted" for pod, count in counted.items() if count]

    def _complaints(self) -> list[str]:
        return [f"{pod}, which said: {said}" for pod in self.pods for said in complaints_in(self._log(pod))[:3]]

    def _log(self, pod: str) -> str:
        return self._kubectl("logs", pod, "--timestamps")

    def _kubectl(self, *words: str) -> str:
        return self.cluster.kubectl(*words, "--namespace", self.robot.namespace, timeout=PATIENCE)


@contextmanager
def _scratch_folder(cluster: Cluster) -> Iterator[Path]:
    """Give a folder that goes with the cluster at the latest, and have programs keep their temporary files there.

    A build that is killed removes none of its own.
    """
    kept = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(dir=cluster.directory, ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            del os.environ["TMPDIR"]
            if kept is not None:
                os.environ["TMPDIR"] = kept


def _environment(cluster: Cluster) -> dict[str, str]:
    """Give the environment in which kubectl, its plugin and Helm are found, as after `scripts/cluster env`."""
    folders = (APISNOOP.parent, cluster.kubectl_path.parent, cluster.helm_path.parent)
    path = ":".join([*map(str, folders), cluster.environment["PATH"]])
    return {**cluster.environment, "PATH": path}
