"""A whole Kubernetes: API server, controllers, scheduler, one or two nodes, DNS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from . import control_plane, dns, network
from .limits import raise_inotify_limit
from .node import Node, node_name
from .node_files import write_node_files
from .preparation import prepare
from .processes import Processes
from .provision import provide_nodes
from .server import READY_TIMEOUT, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from .slot import Slot


class Cluster(Server):
    """A running Kubernetes with nodes; start it with `start`."""

    nodes: Sequence[Node] = ()

    @classmethod
    def start(
        cls,
        *,
        nodes: int = 1,
        arguments: Sequence[str] = (),
        feature_gates: Mapping[str, bool] | None = None,
        audit_request_received: bool = False,
    ) -> Self:
        """Start a cluster, and return when its nodes are ready and its DNS answers.

        `arguments` are added to kube-apiserver's command line, `feature_gates` go to every component; for the audit
        log see `ApiServer.start`. Raises PermissionError for an ordinary user.
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
            cluster._start_etcd()
            cluster._start_apiserver(arguments)
            # The nodes come up as far as they can while the API server does.
            cluster.nodes = [cluster._boot_node(switch, number, nodes) for number in range(1, nodes + 1)]
            imports = [node.start_import(provisions.images) for node in cluster.nodes]
            cluster._wait_until_ready()
            cluster._start_controllers()
            cluster._start_scheduler()
            cluster._join_nodes()
            cluster.apply(dns.objects(), dns.NAMESPACE)
            for started in imports:
                started.finish()
            cluster._wait_until_usable()
        return cluster

    def load_image(self, archive: Path) -> None:
        """Import a docker-archive or OCI archive on every node.

        An image's name gets `docker.io/` in front unless it names a registry; pods need `imagePullPolicy: Never`.
        """
        for started in [node.start_import(archive) for node in self.nodes]:
            started.finish()

    def _boot_node(self, switch: int, number: int, count: int) -> Node:
        slot = self._processes.slot
        write_node_files(self._plane, self._authority, slot, number)
        node = Node(self._processes, number, self._plane.programs)
        network.connect_node(slot, switch, node.pid, number, count)
        node.tell("network")
        return node

    def _start_scheduler(self) -> None:
        self._processes.start("kube-scheduler", control_plane.scheduler(self._plane))

    def _join_nodes(self) -> None:
        """Create the Node objects, whose pod addresses the nodes' files already name, then let kubelets adopt them."""
        for node in self.nodes:
            self._api.create("/api/v1/nodes", node_object(self._processes.slot, node.number))
            node.tell("kubelet")

    def _wait_until_usable(self) -> None:
        self._api.wait_for("/api/v1/nodes", _all_ready, READY_TIMEOUT)
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


def _link(sources: Iterable[Path], target: Path) -> Path:
    """Make one folder with links to all programs of `sources`, for a node's PATH."""
    target.mkdir()
    for program in [program for source in sources for program in source.iterdir()]:
        (target / program.name).symlink_to(program)
    return target
