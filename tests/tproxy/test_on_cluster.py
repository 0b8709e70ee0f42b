"""The agent as a process in a node of a real Kubernetes, with a proxy on the wire that carries nothing by itself."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.pki import Authority
from tests.inside.processes import NodeProcess, wait_until
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


NEW_POD = """
apiVersion: v1
kind: Pod
metadata: {name: early, annotations: {apisnoop: "true", apisnoop/injected: "1"}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
    - name: apisnoop-wait
      image: "local/busybox:1"
      imagePullPolicy: Never
      command: [sh, -c, 'until nc 127.0.0.1 15022 </dev/null 2>&1 | grep enrolled; do sleep 0.05; done']
      securityContext:
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
        readOnlyRootFilesystem: true
        runAsUser: 65532
  containers:
    - {name: app, image: "local/busybox:1", imagePullPolicy: Never, command: [sleep, infinity]}
"""


class NodeAgent:
    """An agent in the first node of a cluster; each has a folder and a port of its own."""

    def __init__(self, cluster, number=0):
        self.cluster, self.node = cluster, cluster.nodes[0]
        place = FOLDER / str(number)
        self.address = f"127.0.0.1:{15020 + 100 * number}"
        self.folder = self.node.directory / "disk" / str(place).lstrip("/")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "agent.sock").unlink(missing_ok=True)
        authority = Authority.load(self.node.directory.parent / "pki")
        authority.issue("tls", user="system:node:apisnoop", hosts=["kubernetes.default.svc"], directory=self.folder)
        (self.folder / "kubeconfig").write_text(self._kubeconfig())
        environment = {
            "NODE_NAME": self.node.name,
            "APISNOOP_AGENT_SOCKET": f"{place}/agent.sock",
            "APISNOOP_TLS": str(place),
            "APISNOOP_LISTEN": self.address,
        }
        command = [sys.executable, "-m", "apisnoop_tproxy", "agent", "--kubeconfig", str(place / "kubeconfig")]
        self.log = self.folder / "agent.log"
        self.process = NodeProcess(self.node, command, environment, self.log)
        self.process.start()
        wait_until((self.folder / "agent.sock").exists, "the agent's socket")

    def _kubeconfig(self):
        """Give the administrator's kubeconfig with the address that nodes know."""
        found = json.loads(self.cluster.kubectl("get", "endpointslice", "kubernetes", "-n", "default", "-o", "json"))
        server = f"https://{found['endpoints'][0]['addresses'][0]}:{found['ports'][0]['port']}"
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        for one in config["clusters"]:
            one["cluster"]["server"] = server
        return json.dumps(config)

    def run(self, *words):
        """Run the agent's own command line beside it, as the container's probes do."""
        return self._in_node(sys.executable, "-m", "apisnoop_tproxy", *words)

    def status(self):
        """Ask for its state."""
        code = f"import urllib.request as r; print(r.urlopen('http://{self.address}/status').read().decode())"
        return json.loads(self._in_node(sys.executable, "-c", code))

    def noted(self, uid):
        """Give the addresses that the node's container runtime has noted of a pod, as the agent reads them."""
        code = (
            "import sys; from pathlib import Path; from apisnoop_tproxy.cni_results import cni_addresses as read\n"
            "folder = Path('/var/lib/cni/results')\n"
            "boxes = [one.name.split('-')[-2] for one in folder.iterdir() if sys.argv[1] in one.read_text()]\n"
            "print(*read(folder, sys.argv[1], boxes))"
        )
        return self._in_node(sys.executable, "-c", code, uid).split()

    def rules(self, pod, namespace):
        """List what is in a pod's network namespace, as the pod's own processes have it."""
        uid = self.cluster.kubectl("get", "pod", pod, "-n", namespace, "-o", "jsonpath={.metadata.uid}")
        find = f"for p in /proc/[0-9]*; do grep -qs pod{uid} $p/cgroup && echo ${{p#/proc/}} && break; done"
        pid = self._in_node("sh", "-c", find).strip()
        return self._in_node("nsenter", "--target", pid, "--net", "nft", "list", "ruleset")

    def _in_node(self, *words):
        return subprocess.run(self.node.command(*words), capture_output=True, text=True, check=True).stdout

    async def proxy(self):
        """Connect a proxy; there is a moment between the socket's file and its first listening."""
        while True:
            try:
                return FakeProxy(self.folder / "agent.sock")
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)

    def stop(self):
        """End it as Kubernetes does."""
        assert self.process.end() == 0


async def becomes(look):
    """Look in a thread until something is so: meanwhile the proxy has to beat."""
    while not await asyncio.to_thread(look):  # noqa: ASYNC110 - nobody tells of it
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def agent(cluster):
    """Run the agent."""
    if not hasattr(cluster, "nodes"):
        pytest.skip("needs the nodes' own processes, which only the test cluster gives")
    found = NodeAgent(cluster)
    yield found
    found.stop()
    sys.stdout.write(found.log.read_text())


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
        enrol = await proxy.enrolled(namespace)
        await becomes(lambda: "10.96.0.1 . 443" in agent.rules(pod, namespace))
        assert time.monotonic() - began < 5
        caller = enrol.caller
        assert (caller.node, caller.namespace, caller.pod) == (agent.node.name, namespace, pod)
        assert (caller.workload, caller.service_account) == ("deployment/web", f"{namespace}/default")
        await asyncio.to_thread(kubectl, "annotate", "deployment/web", "apisnoop-")
        await proxy.until(lambda: proxy.retired(enrol.enrolment))
        proxy.drained(enrol.enrolment)
        await becomes(lambda: agent.rules(pod, namespace) == "")
        assert kubectl("get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "0"
    finally:
        proxy.close()


@in_loop
async def test_a_new_pod_starts_when_it_is_recorded(cluster, agent, namespace):
    """Its init container is told when the rule is there; its address is the one that the runtime has noted."""
    (agent.folder / "early.yaml").write_text(NEW_POD)
    proxy = await agent.proxy()
    try:
        await asyncio.to_thread(cluster.kubectl, "apply", "-f", str(agent.folder / "early.yaml"), "-n", namespace)
        enrol = await proxy.enrolled(namespace)
        await asyncio.to_thread(cluster.kubectl, "wait", "pod/early", "--for=condition=Ready", "-n", namespace)
        assert enrol.caller.pod == "early"
        said = await asyncio.to_thread(cluster.kubectl, "logs", "early", "-c", "apisnoop-wait", "-n", namespace)
        assert said == "enrolled\n"
        found = await asyncio.to_thread(standing, agent, namespace)
        pod = json.loads(await asyncio.to_thread(cluster.kubectl, "get", "pod", "early", "-n", namespace, "-o", "json"))
        began = pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
        assert (found["state"], found["reason"]) == ("intercepting", "Wanted")
        assert found["since"] <= began
        noted = await asyncio.to_thread(agent.noted, pod["metadata"]["uid"])
        assert noted == [pod["status"]["podIP"]]
    finally:
        proxy.close()


@in_loop
async def test_the_node_says_how_it_goes(cluster, agent, namespace):
    """Its probes pass, and the pod's Events say that it is recorded, and when no longer."""

    def reasons():
        found = json.loads(cluster.kubectl("get", "events", "-n", namespace, "-o", "json"))["items"]
        ours = [one for one in found if one["source"].get("component") == "apisnoop-agent"]
        return {(one["reason"], one["involvedObject"]["name"]) for one in ours}

    proxy = await agent.proxy()
    try:
        words = ("--image=local/busybox:1", "--image-pull-policy=Never", "--annotations=apisnoop=true", "-n", namespace)
        await asyncio.to_thread(cluster.kubectl, "run", "told", *words, "--", "sleep", "infinity")
        await proxy.enrolled(namespace)
        await becomes(lambda: ("ApisnoopIntercepting", "told") in reasons())
        assert await asyncio.to_thread(agent.run, "healthy") == ""
        assert await asyncio.to_thread(agent.run, "healthy", "--ready") == ""
        await asyncio.to_thread(cluster.kubectl, "annotate", "pod", "told", "apisnoop-", "-n", namespace)
        await becomes(lambda: ("ApisnoopStopped", "told") in reasons())
    finally:
        proxy.close()


@in_loop
async def test_an_upgraded_agent_takes_the_node_over(cluster, agent, namespace):
    """While the old one still runs, the new one takes a pod over for good; when it goes, the old one has it again."""
    proxy = await agent.proxy()
    words = ("--image=local/busybox:1", "--image-pull-policy=Never", "--annotations=apisnoop=true", "-n", namespace)
    await asyncio.to_thread(cluster.kubectl, "run", "kept", *words, "--", "sleep", "infinity")
    held = await proxy.enrolled(namespace)
    newer = await asyncio.to_thread(NodeAgent, cluster, 1)
    try:
        successor = await newer.proxy()
        await successor.enrolled(namespace)
        await proxy.until(lambda: proxy.retired(held.enrolment))
        proxy.drained(held.enrolment)
        generation = (await asyncio.to_thread(newer.status))["generation"]
        await becomes(lambda: standing(agent, namespace)["reason"] == "NewerAgent")
        assert (await asyncio.to_thread(standing, newer, namespace))["state"] == "intercepting"
        assert f"apisnoop {generation} " in await asyncio.to_thread(agent.rules, "kept", namespace)
        successor.close()
    finally:
        await asyncio.to_thread(newer.stop)
    try:
        await proxy.enrolled(namespace)
        await becomes(lambda: standing(agent, namespace)["state"] == "intercepting")
    finally:
        proxy.close()


def standing(agent, namespace):
    """Ask how it stands with the one pod of a namespace."""
    (found,) = [one for one in agent.status()["pods"] if one["namespace"] == namespace]
    return found
