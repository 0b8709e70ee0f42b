"""A whole Kubernetes: API server, controllers, scheduler, one or two nodes, DNS."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING, Any, Self

from . import cgroups, control_plane, dns, network
from .attention import wait_until_heard
from .limits import raise_inotify_limit
from .node import Node, node_name
from .node_files import write_node_files
from .preparation import prepare
from .processes import Processes
from .provision import provide_nodes
from .server import READY_TIMEOUT, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from .slot import Slot


class Cluster(Server):
    """A running Kubernetes with nodes; start it with `start`."""

    nodes: Sequence[Node] = ()
    _switch: int

    @classmethod
    def start(
        cls,
        *,
        nodes: int = 1,
        arguments: Sequence[str] = (),
        controller_arguments: Sequence[str] = (),
        feature_gates: Mapping[str, bool] | None = None,
        kubelet: Mapping[str, Any] | None = None,
        audit_request_received: bool = False,
    ) -> Self:
        """Start a cluster, and return when its nodes are ready and its DNS answers.

        `arguments` are added to kube-apiserver's command line, `controller_arguments` to kube-controller-manager's;
        `feature_gates` go to every component, `kubelet` holds fields of its configuration, like `{"maxPods": 250}`;
        for the audit log see `ApiServer.start`. Raises PermissionError for an ordinary user.
        """
        if os.geteuid():
            raise PermissionError("a cluster with nodes needs root (namespaces, mounts, cgroups); ApiServer does not")
        provisions = provide_nodes()
        raise_inotify_limit()
        with Processes.claim() as processes:
            slot = processes.slot
            switch = network.start_switch(processes)
            bin_directory = _link(provisions.programs, slot.directory / "bin")
            plane = prepare(
                slot, slot.host_address, bin_directory, feature_gates or {}, request_received=audit_request_received
            )
            cluster = cls(processes, plane)
            cluster._groups = cgroups.create(slot, "control-plane")
            cluster._start_etcd()
            cluster._start_apiserver(arguments)
            # The nodes come up as far as they can while the API server does.
            for number in range(1, nodes + 1):
                write_node_files(plane, cluster._authority, slot, number, kubelet)
            cluster._switch = switch
            cluster.nodes = [cluster._boot_node(number, nodes) for number in range(1, nodes + 1)]
            imports = [node.start_import(provisions.images) for node in cluster.nodes]
            cluster._wait_until_ready()
            cluster._start_controllers(controller_arguments)
            cluster._start_scheduler()
            cluster._join_nodes()
            # A pod whose image is not there yet has containerd look for it in a registry, which may take a minute.
            for started in imports:
                started.finish()
            cluster.apply(dns.objects(), dns.NAMESPACE)
            cluster._wait_until_usable()
        return cluster

    def restart_apiserver(self, arguments: Sequence[str] = (), *, grace: float = 2.0) -> None:
        """Restart it as `Server` does, and wait until nodes reach it by way of its Service, too, and heed new pods.

        A server that ends takes itself off its Service, and is there again only a moment after it is ready.
        """
        super().restart_apiserver(arguments, grace=grace)
        self._api.wait_for(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            lambda found: any(one["endpoints"] for one in found),
            READY_TIMEOUT,
        )
        for node in self.nodes:
            self._processes.wait_until(node.reaches_the_api, f"the API server from {node.name}", READY_TIMEOUT)
        wait_until_heard(self._api, [node.name for node in self.nodes], READY_TIMEOUT)

    def until_deleted_pods_have_gone(self) -> None:
        """Wait until nothing is left of them on the nodes, which are busy for seconds with ending them one by one."""
        going = self.kubectl("get", "namespaces", "--field-selector=status.phase=Terminating", "-o", "name")
        if going:
            self.kubectl("wait", "--for=delete", "--timeout=120s", *going.split())
        known = set(self.kubectl("get", "pods", "-A", "-o", "jsonpath={.items[*].metadata.uid}").split())
        self._processes.wait_until(
            lambda: all(node.pod_uids() <= known for node in self.nodes), "deleted pods to have gone", READY_TIMEOUT
        )

    def load_image(self, archive: Path, name: str = "") -> None:
        """Import a docker-archive or OCI archive on every node; pods need `imagePullPolicy: Never` (or IfNotPresent).

        With `name`, spelled as pods do, an archive of one image is called that, whatever name it brings (or none).
        """
        for started in [node.start_import(archive, name) for node in self.nodes]:
            started.finish()

    def stop_node(self, number: int) -> None:
        """Cut the power of node `number`, counted from 1: every process on it is gone at once, its disk stays.

        Returns when nothing runs on it any more. The API server learns of it as from any machine that fell silent, in
        50 s: `controller_arguments=["--node-monitor-grace-period=4s"]` makes that sooner.
        """
        self.nodes[number - 1].stop()
        self._processes.wait_until(
            lambda: not network.is_plugged_in(self._switch, number), f"node {number}'s end", READY_TIMEOUT
        )

    def start_node(self, number: int) -> None:
        """Boot node `number` again after `stop_node`, and return when it is ready; its pods start by themselves."""
        began = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        node = self._boot_node(number, len(self.nodes))
        self.nodes = [node if other.number == number else other for other in self.nodes]
        try:
            node.start_kubelet()
            self._wait_for_nodes(lambda found: _all_ready(found) and _reported(found, node, began))
            self._processes.wait_until(node.serves_services, f"kube-proxy on {node.name}", READY_TIMEOUT)
        except (RuntimeError, TimeoutError) as error:
            error.add_note(self._processes.evidence())
            raise

    def _wait_for_nodes(self, found: Callable[[Iterable[Mapping[str, Any]]], bool]) -> None:
        """Wait until the Node objects are as wanted; raise ProcessEndedError if a node is not because it has ended."""
        try:
            self._api.wait_for("/api/v1/nodes", found, READY_TIMEOUT)
        except TimeoutError:
            self._processes.check()
            raise

    def _boot_node(self, number: int, count: int) -> Node:
        node = Node(self._processes, number, self._plane.programs)
        network.connect_node(self._processes.slot, self._switch, node.pid, number, count)
        node.start_containerd()
        return node

    def _start_scheduler(self) -> None:
        self._run("kube-scheduler", control_plane.scheduler(self._plane))

    def _join_nodes(self) -> None:
        """Create the Node objects, whose pod addresses the nodes' files already name, then let kubelets adopt them."""
        for node in self.nodes:
            self._api.create("/api/v1/nodes", node_object(self._processes.slot, node.number))
            node.start_kubelet()

    def _wait_until_usable(self) -> None:
        self._wait_for_nodes(_all_ready)
        for node in self.nodes:
            self._processes.wait_until(node.serves_services, f"kube-proxy on {node.name}", READY_TIMEOUT)
        self._wait_for_default_service_account()
        self._api.wait_for(f"/apis/apps/v1/namespaces/{dns.NAMESPACE}/deployments", dns.is_ready, READY_TIMEOUT)


def node_object(slot: Slot, number: int) -> dict[str, Any]:
    """Render the Node of that number with its range of pod addresses."""
    pods = str(slot.pod_network(number))
    name = node_name(number)
    labels = {"kubernetes.io/hostname": name}
    spec = {"podCIDR": pods, "podCIDRs": [pods]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _all_ready(nodes: Iterable[Mapping[str, Any]]) -> bool:
    conditions = [condition for node in nodes for condition in node["status"].get("conditions", [])]
    ready = [condition["status"] == "True" for condition in conditions if condition["type"] == "Ready"]
    return bool(ready) and len(ready) == len(list(nodes)) and all(ready)


def _reported(nodes: Iterable[Mapping[str, Any]], wanted: Node, since: datetime.datetime) -> bool:
    """Tell whether a node's kubelet has said how it is since then, by its own clock, which is the machine's."""
    (node,) = [node for node in nodes if node["metadata"]["name"] == wanted.name]
    beats = [
        datetime.datetime.fromisoformat(condition["lastHeartbeatTime"]) for condition in node["status"]["conditions"]
    ]
    return max(beats) >= since


def _link(sources: Iterable[Path], target: Path) -> Path:
    """Make one folder with links to all programs of `sources`, for a node's PATH."""
    target.mkdir()
    for program in [program for source in sources for program in source.iterdir()]:
        (target / program.name).symlink_to(program)
    return target
