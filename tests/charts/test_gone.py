"""Deleted pods that were recorded: their network namespaces go, though agent and proxy have been in them."""

import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cluster import network
from tests.charts.installation import PROXY_PORT, until
from tests.charts.workloads import MARK, listed, pod, steadily

pytestmark = pytest.mark.cluster
WATCHES = "kubectl get configmaps --watch >/dev/null & "
PATIENCE = 60.0


class Space:
    """The network namespace of a pod, seen from the machine."""

    def __init__(self, cluster, found):
        self.uid = found["metadata"]["uid"]
        self.node = next(one for one in cluster.nodes if one.name == found["spec"]["nodeName"])
        self.place = Path(f"/proc/{holder_of(self.uid)}/ns/net")
        self.link = str(self.place.readlink())
        self.witness = f"w-{self.uid[:8]}"

    def plant_witness(self):
        """Put one end of a wire into it and leave the other on the node: both are there until the kernel frees it."""
        plug = f"link add {self.witness} type veth peer name {self.witness} netns {self.place.parts[2]}"
        network.apply([plug], namespace_of=self.node.pid)

    def is_there(self):
        """Tell whether the kernel still has it, whoever or whatever keeps it: a descriptor, a mount, a socket."""
        return f"{self.witness}:" in Path(f"/proc/{self.node.pid}/net/dev").read_text()

    @contextmanager
    def kept(self):
        """Keep it for the time of a block."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            yield
        finally:
            os.close(descriptor)

    def holders(self):
        """Name the processes that are in it with a thread or have a descriptor of it, but for ourselves."""
        return {int(place.parts[2]) for place in handles() if target(place) == self.link} - {os.getpid()}


def handles():
    """List every thread's network namespace and every process's descriptors, as links in /proc."""
    yield from Path("/proc").glob("[0-9]*/task/[0-9]*/ns/net")
    yield from Path("/proc").glob("[0-9]*/fd/[0-9]*")


def target(link):
    """Read a link, "" if it is gone."""
    with suppress(OSError):
        return str(link.readlink())
    return ""


def processes_of(uid):
    """List the processes of a pod, as the machine numbers them."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):  # it has ended
            if f"pod{uid}" in place.read_text():
                found.append(int(place.parts[2]))
    return found


def holder_of(uid):
    """Return the process that lives as long as the pod's sandbox: the containers' come and go."""
    (found,) = (pid for pid in processes_of(uid) if program_of(pid) == "pause")
    return found


def program_of(pid):
    """Name a process's program, "" if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def test_a_deleted_pods_network_namespace_goes(installed, two_nodes, a_namespace, tmp_path):
    """Also that of one with a watch open through the proxy: nobody holds it, and the kernel frees it."""
    where = a_namespace()
    watching = steadily(where)
    watching["containers"][0]["command"][-1] = WATCHES + watching["containers"][0]["command"][-1]
    specs = {"asking": steadily(where), "watching": watching}
    two_nodes.kubectl("apply", "-f", "-", "-n", where, stdin=listed(*(pod(*one, **MARK) for one in specs.items())))
    for name in specs:
        until(lambda name=name: installed.calls_of(tmp_path, where, name))
    spaces = {name: Space(two_nodes, two_nodes.get("pod", name, "-n", where)) for name in specs}
    for space in spaces.values():
        space.plant_witness()
        assert space.holders() & set(agents_processes(installed, space.node))
    node = spaces["watching"].node.name
    until(lambda: connections(installed, node, spaces["watching"].uid))

    with spaces["asking"].kept(), spaces["watching"].kept():
        two_nodes.kubectl("delete", "pods", *specs, "-n", where)
        for space in spaces.values():
            until(lambda space=space: not space.holders(), PATIENCE)
            assert space.is_there()  # kept by ourselves
    for space in spaces.values():
        until(lambda space=space: not space.is_there(), PATIENCE)


def agents_processes(installed, node):
    """List the processes of agent and proxy of a node."""
    agent = json.loads(installed.kubectl("get", "pod", installed.agents()[node.name], "-o", "json"))
    return processes_of(agent["metadata"]["uid"])


def connections(installed, node, uid):
    """Count a pod's connections that go through the proxy now."""
    status = json.loads(installed.ask(installed.agents()[node], PROXY_PORT, "/status"))
    return sum(one["connections"] for one in status["pods"] if one["uid"] == uid)
