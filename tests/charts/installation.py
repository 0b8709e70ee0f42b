"""The chart installed in a test cluster, and what it leaves behind."""

import contextlib
import json
import sqlite3
import subprocess
import time
import urllib.request

from apisnoop.calls.recording import gaps_of
from apisnoop.store.recordings import recordings_in
from tests.charts.rendering import CHART
from tests.charts.workloads import MARK, once, pod

HOME = "apisnoop"
IMAGES = (
    "image.pullPolicy=Never",
    "image.core.repository=apisnoop",
    "image.core.tag=test",
    "image.proxy.repository=apisnoop-proxy",
    "image.proxy.tag=test",
)
AGENT_PORT = 15020
PROXY_PORT = 15021
PATIENCE = 30.0
PROVEN = "calls of this pod were recorded on node"
"""What `helm test` says when it has succeeded."""
KINDS = (
    "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingadmissionpolicies,"
    "validatingadmissionpolicybindings,certificatesigningrequests"
)
NAMESPACED = (
    "roles,rolebindings,serviceaccounts,secrets,configmaps,leases,daemonsets,deployments,jobs,cronjobs,pods,services,"
    "poddisruptionbudgets,networkpolicies"
)
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Installation:
    """One release, called apisnoop, in the namespace of that name."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.installed = False

    def install(self, *settings, verb="install", options=("--wait", "--timeout=120s")):
        """Run `helm install`, which waits until everything is ready."""
        self.installed = True
        given = [f"--set={setting}" for setting in (*IMAGES, *settings)]
        where = ("--create-namespace",) if verb == "install" else ()
        return self.cluster.helm(verb, "apisnoop", CHART, "--namespace", HOME, *where, *options, *given)

    def prepares(self):
        """Tell whether a new pod would be prepared: the webhook hears after Helm that the agents are ready."""
        asked = json.dumps(pod("asked", once("default"), **MARK))
        made = self.cluster.kubectl("create", "--dry-run=server", "-n", "default", "-o", "json", "-f", "-", stdin=asked)
        return "initContainers" in json.loads(made)["spec"]

    def proof(self):
        """Run `helm test`; give what it says. Its pod stays, as a user has it."""
        return self.cluster.helm("test", "apisnoop", "--namespace", HOME, "--logs", "--timeout=150s")

    def uninstall(self):
        """Run `helm uninstall`, wait until the last pod has gone, and remove the namespace."""
        self.cluster.helm("uninstall", "apisnoop", "--namespace", HOME, "--wait", "--timeout=90s")
        self.kubectl("wait", "pods", "--all", "--for=delete", "--timeout=90s")
        self.installed = False

    def kubectl(self, *words, **keywords):
        """Run kubectl in the release's namespace."""
        return self.cluster.kubectl(*words, "--namespace", HOME, **keywords)

    def agents(self):
        """Name the DaemonSet's pods, by node; one that an upgrade has replaced may be ending beside its successor."""
        found = json.loads(self.kubectl("get", "pods", "-l", "app.kubernetes.io/component=agent", "-o", "json"))
        staying = [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]
        return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in staying}

    def traces(self):
        """Name every object of ours that there is, in any namespace, but for Events and Helm's own record."""
        found = self.cluster.get(f"{KINDS},{NAMESPACED}", "--all-namespaces")["items"]
        return sorted(
            f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}"
            for one in found
            if "apisnoop" in one["metadata"]["name"] or is_ours(one)
        )

    @contextlib.contextmanager
    def forwarded(self, pod, port):
        """Forward a port of a pod for the time of a block; gives the URL."""
        command = [self.cluster.kubectl_path, "port-forward", "--namespace", HOME, f"pod/{pod}", f":{port}"]
        with subprocess.Popen(
            command, env=self.cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                line = process.stdout.readline()
                assert "127.0.0.1" in line, line + process.stdout.read()
                yield f"http://{line.split()[2]}"
            finally:
                process.terminate()

    def rules(self, namespace, pod):
        """List the rules in a pod's network namespace, as its own processes have them; the pod has to run."""
        found = self.cluster.get("pod", pod, "--namespace", namespace)
        node = next(one for one in self.cluster.nodes if one.name == found["spec"]["nodeName"])

        command = node.command("sh", "-c", RULES.format(uid=found["metadata"]["uid"]))
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    def ask(self, pod, port, path):
        """Ask a container's loopback port, as `kubectl apisnoop` does."""
        with self.forwarded(pod, port) as url, _NO_PROXY.open(url + path, timeout=120) as answer:
            return answer.read()

    @contextlib.contextmanager
    def stores(self, folder):
        """Fetch every node's snapshot for the time of a block."""
        with contextlib.ExitStack() as opened:
            found = []
            for node, agent in self.agents().items():
                path = folder / f"{node}.db"
                path.write_bytes(self.ask(agent, PROXY_PORT, "/snapshot"))
                found.append(opened.enter_context(contextlib.closing(sqlite3.connect(path))))
            yield found

    def calls_of(self, folder, namespace, pod=""):
        """Count recorded calls of pods of a namespace, by (pod, container, service account, operation)."""
        counted = {}
        with self.stores(folder) as stores:
            for *key, count in (row for store in stores for row in store.execute(CALLS, (namespace,))):
                counted[tuple(key)] = counted.get(tuple(key), 0) + count
        return {key: count for key, count in counted.items() if key[0].startswith(pod)}

    def gaps(self, folder):
        """List when which pods were not recorded for a while although they should have been."""
        with self.stores(folder) as stores:
            return [gap for store in stores for gap in gaps_of(recordings_in(store))]


# Any process of the pod will do, and it may end while it is looked at.
RULES = """
for process in /proc/[0-9]*; do
    grep -qs pod{uid} $process/cgroup && nsenter --target ${{process#/proc/}} --net nft list ruleset 2>&- && exit
done
exit 1
"""
CALLS = """
    SELECT callers.pod, callers.container, callers.service_account, targets.operation, sum(count) FROM tallies
    JOIN callers ON callers.id = tallies.caller JOIN targets ON targets.id = tallies.target
    WHERE callers.namespace = ? GROUP BY 1, 2, 3, 4
"""


def is_ours(thing):
    """Tell whether an object carries our label."""
    return (thing["metadata"].get("labels") or {}).get("app.kubernetes.io/part-of") == "apisnoop"


def until(look, patience=PATIENCE):
    """Wait until something is there; what is looked at can be polled only."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)
    return found
