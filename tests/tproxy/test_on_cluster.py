"""The agent as a process in a node of a real Kubernetes, with a proxy on the wire that carries nothing by itself."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.pki import Authority
from tests.looped import in_loop
from tests.tproxy.fake_proxy import FakeProxy

pytestmark = pytest.mark.cluster

FOLDER = Path("/var/lib/kubelet/apisnoop-test")
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - {name: app, image: "local/busybox:1", imagePullPolicy: Never, command: [sleep, infinity]}
"""


class NodeAgent:
    """The agent in the first node of a cluster."""

    def __init__(self, cluster):
        self.cluster, self.node = cluster, cluster.nodes[0]
        self.folder = self.node.directory / "disk" / str(FOLDER).lstrip("/")
        self.folder.mkdir(parents=True, exist_ok=True)
        authority = Authority.load(self.node.directory.parent / "pki")
        authority.issue("tls", user="system:node:apisnoop", hosts=["kubernetes.default.svc"], directory=self.folder)
        (self.folder / "kubeconfig").write_text(self._kubeconfig())
        environment = [
            f"NODE_NAME={self.node.name}",
            f"APISNOOP_AGENT_SOCKET={FOLDER}/agent.sock",
            f"APISNOOP_TLS={FOLDER}",
        ]
        command = [sys.executable, "-m", "apisnoop_tproxy", "agent", "--kubeconfig", str(FOLDER / "kubeconfig")]
        self.log = self.folder / "agent.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.node.command("env", *environment, *command), stdout=log, stderr=log)

    def _kubeconfig(self):
        """Give the administrator's kubeconfig with the address that nodes know."""
        found = json.loads(self.cluster.kubectl("get", "endpointslice", "kubernetes", "-n", "default", "-o", "json"))
        server = f"https://{found['endpoints'][0]['addresses'][0]}:{found['ports'][0]['port']}"
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        for one in config["clusters"]:
            one["cluster"]["server"] = server
        return json.dumps(config)

    def rules(self, pod, namespace):
        """List what is in a pod's network namespace, as the pod's own processes have it."""
        uid = self.cluster.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
        find = f"for p in /proc/[0-9]*; do grep -qs pod{uid} $p/cgroup && echo ${{p#/proc/}} && break; done"
        pid = self._in_node("sh", "-c", find).strip()
        return self._in_node("nsenter", "--target", pid, "--net", "nft", "list", "ruleset")

    def _in_node(self, *words):
        return subprocess.run(self.node.command(*words), capture_output=True, text=True, check=True).stdout

    async def proxy(self):
        """Connect a proxy as soon as the agent listens."""
        for _ in range(200):
            try:
                return FakeProxy(self.folder / "agent.sock")
            except OSError:
                await asyncio.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    def stop(self):
        """End it as Kubernetes does."""
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def agent(cluster):
    """Run the agent."""
    if not hasattr(cluster, "nodes"):
        pytest.skip("needs the nodes' own processes, which only the test cluster gives")
    found = NodeAgent(cluster)
    yield found
    found.stop()


@in_loop
async def test_annotating_a_deployment_redirects_its_running_pod(cluster, agent, namespace):
    """The pod is not restarted; annotated, its API connections are redirected; then not any more, and nothing stays."""

    def kubectl(*words):
        return cluster.kubectl(*words, "-n", namespace)

    (agent.folder / "web.yaml").write_text(DEPLOYMENT)
    kubectl("apply", "-f", str(agent.folder / "web.yaml"))
    await asyncio.to_thread(kubectl, "rollout", "status", "deployment/web")
    pod = kubectl("get", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    proxy = await agent.proxy()
    try:
        await asyncio.to_thread(kubectl, "annotate", "deployment/web", "apisnoop=true")
        began = time.monotonic()
        enrol = await proxy.enrolled()
        await proxy.until(lambda: "redirect" in agent.rules(pod, namespace))
        assert time.monotonic() - began < 2
        caller = enrol.caller
        assert (caller.node, caller.namespace, caller.pod) == (agent.node.name, namespace, pod)
        assert (caller.workload, caller.service_account) == ("deployment/web", f"{namespace}/default")
        rules = agent.rules(pod, namespace)
        assert "10.96.0.1 . 443" in rules
        await asyncio.to_thread(kubectl, "annotate", "deployment/web", "apisnoop-")
        await proxy.until(proxy.retired)
        proxy.drained(enrol.enrolment)
        await proxy.until(lambda: agent.rules(pod, namespace) == "")
        assert kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"
    finally:
        proxy.close()
