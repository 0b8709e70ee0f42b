"""What the cluster says that concerns this node, put together: pods, what their owners and namespaces want, and where
the API server is. Each change goes to the agent at once; nothing is polled.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from apisnoop.node.messages import Address
from apisnoop.node.wanted import Marks, OwnerReference, Wanted, read_marks, wanted
from apisnoop_tproxy.api import Api
from apisnoop_tproxy.destinations import EndpointSlice, Service, service_addresses, slice_addresses
from apisnoop_tproxy.owners import Owner, ReplicaSets, Thing, read_owner
from apisnoop_tproxy.pod_facts import Pod, PodFacts, read_pod
from apisnoop_tproxy.watch import Collection, follow

_OWNERS = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Job": "/apis/batch/v1/jobs",
    "CronJob": "/apis/batch/v1/cronjobs",
}
_SERVICE = "/api/v1/namespaces/default/services"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class Node(Protocol):
    """Who acts on it."""

    def update(self, facts: PodFacts, wanted: Wanted, workload: str = "") -> None:
        """Take what is known of a pod."""

    def remove(self, uid: str) -> None:
        """Hear that a pod has gone."""

    def destine(self, addresses: set[Address]) -> None:
        """Take where the API is."""


class Kept[Object, Value]:
    """A follower that keeps what it needs of each object by a key, and says when anything is different."""

    def __init__(
        self,
        key: Callable[[Object], str],
        read: Callable[[Object], Value],
        differs: Callable[[str, Value | None], None],
    ) -> None:
        self.values: dict[str, Value] = {}
        self.complete = False
        self._key, self._read, self._differs = key, read, differs

    def listed(self, objects: list[Object]) -> None:
        """Take all there is."""
        found = {self._key(one): self._read(one) for one in objects}
        self.complete = True
        for key in self.values.keys() - found.keys():
            del self.values[key]
            self._differs(key, None)
        for key, value in found.items():
            self._put(key, value)

    def changed(self, thing: Object) -> None:
        """Take one that has come or changed."""
        self._put(self._key(thing), self._read(thing))

    def deleted(self, thing: Object) -> None:
        """Forget one."""
        key = self._key(thing)
        if self.values.pop(key, None) is not None:
            self._differs(key, None)

    def _put(self, key: str, value: Value) -> None:
        if self.values.get(key) != value:
            self.values[key] = value
            self._differs(key, value)


class Cluster:
    """Use: `await cluster.run()` in a task of its own."""

    def __init__(self, api: Api, node: Node, name: str, longest: float | None = None) -> None:
        """`name` is the node's; `longest` the seconds after which every recording ends."""
        self._api, self._node, self._name, self._longest = api, node, name, longest
        self._tasks: asyncio.TaskGroup | None = None
        self._pods: Kept[Pod, PodFacts] = Kept(lambda pod: pod.metadata.uid, read_pod, self._pod_differs)
        self._namespaces: Kept[Thing, Marks] = Kept(
            lambda one: one.metadata.name, lambda one: read_marks("namespace", one.metadata), self._namespace_differs
        )
        self._owners: dict[str, Kept[Thing, Owner]] = {
            kind: Kept(_uid, partial(read_owner, kind), self._owner_differs) for kind in _OWNERS
        }
        self._replica_sets = ReplicaSets(api, lambda uid: self._owner_differs(uid, None))
        self._services: Kept[Service, set[Address]] = Kept(_name, service_addresses, self._destinations_differ)
        self._slices: Kept[EndpointSlice, set[Address]] = Kept(_name, slice_addresses, self._destinations_differ)

    @property
    def complete(self) -> bool:
        """Whether everything has been listed that decides about pods."""
        others = (self._pods.complete, self._namespaces.complete, self._services.complete, self._slices.complete)
        return all(others) and all(kept.complete for kept in self._owners.values())

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            of_node = {"fieldSelector": f"spec.nodeName={self._name}"}
            named = {"fieldSelector": "metadata.name=kubernetes"}
            labelled = {"labelSelector": "kubernetes.io/service-name=kubernetes"}
            tasks.create_task(follow(self._api, Collection(_SERVICE, Service, named), self._services))
            tasks.create_task(follow(self._api, Collection(_SLICES, EndpointSlice, labelled), self._slices))
            namespaces = Collection("/api/v1/namespaces", Thing, metadata=True)
            tasks.create_task(follow(self._api, namespaces, self._namespaces))
            for kind, path in _OWNERS.items():
                tasks.create_task(follow(self._api, Collection(path, Thing, metadata=True), self._owners[kind]))
            tasks.create_task(follow(self._api, Collection("/api/v1/pods", Pod, of_node), self._pods))

    # -- what differs ----------------------------------------------------------------------------------------------

    def _pod_differs(self, uid: str, facts: PodFacts | None) -> None:
        if facts is None:
            self._node.remove(uid)
            self._replica_sets.keep({one.owner.uid for one in self._pods.values.values() if one.owner is not None})
            return
        if facts.owner is not None and facts.owner.kind == "ReplicaSet" and self._tasks is not None:
            self._replica_sets.need(facts.namespace, facts.owner, self._tasks)
        self._decide(facts)

    def _namespace_differs(self, name: str, _: Marks | None) -> None:
        self._decide_all(lambda facts: facts.namespace == name)

    def _owner_differs(self, uid: str, _: Owner | None) -> None:
        self._decide_all(lambda facts: any(one.uid == uid for one in self._references(facts)))

    def _destinations_differ(self, _name: str, _value: set[Address] | None) -> None:
        if self._services.complete and self._slices.complete:
            known = [*self._services.values.values(), *self._slices.values.values()]
            self._node.destine(set().union(*known))

    # -- what follows ----------------------------------------------------------------------------------------------

    def _decide_all(self, concerned: Callable[[PodFacts], bool]) -> None:
        for facts in self._pods.values.values():
            if concerned(facts):
                self._decide(facts)

    def _decide(self, facts: PodFacts) -> None:
        references = list(self._references(facts))
        owners = [known.marks for one in references if (known := self._owner(one)) is not None]
        namespace = self._namespaces.values.get(facts.namespace) or Marks(f"namespace {facts.namespace}")
        found = wanted(facts.marks, owners, namespace, time.time(), self._longest)
        top = references[-1] if references else None
        self._node.update(facts, found, f"{top.kind.lower()}/{top.name}" if top else "")

    def _references(self, facts: PodFacts) -> list[OwnerReference]:
        """Return the owners of a pod as far as they are known, nearest first."""
        found: list[OwnerReference] = []
        reference = facts.owner
        while reference is not None and len(found) < len(_OWNERS):
            found.append(reference)
            known = self._owner(reference)
            reference = known.above if known else None
        return found

    def _owner(self, reference: OwnerReference) -> Owner | None:
        if reference.kind == "ReplicaSet":
            return self._replica_sets.get(reference.uid)
        kept = self._owners.get(reference.kind)
        return kept.values.get(reference.uid) if kept else None


def _uid(thing: Thing) -> str:
    return thing.metadata.uid


def _name(thing: Service | EndpointSlice) -> str:
    return thing.metadata.name
