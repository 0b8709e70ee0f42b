"""Which pods of a cluster are asked for, found out as the node agents do it: from pods, their owners and namespaces."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from apisnoop.fleet.objects import Pod, Thing
from apisnoop.node.wanted import PART_OF, Marks, Metadata, Wanted, read_marks, wanted

OURS = "apisnoop"
REPLICA_SET = "replicaset"
DEEPEST = 5
"""Owners above one another; Pod, ReplicaSet, Deployment are two."""


@dataclass(frozen=True, slots=True)
class Above:
    """An object above pods: what it says, and what is above it."""

    marks: Marks
    owner: str = ""
    """UID."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything that can ask."""

    owners: Mapping[str, Above]
    """By UID."""
    namespaces: Mapping[str, Marks]

    def of(self, pod: Pod, now: float, longest: float | None = None) -> Wanted:
        """Tell whether a pod is asked for; apisnoop's own never are."""
        if is_ours(pod.metadata):
            return Wanted(False, "it is apisnoop's own")
        return wanted(
            read_marks("pod", pod.metadata), self.owners_of(pod.metadata), self.namespace_of(pod), now, longest
        )

    def above(self, metadata: Metadata) -> list[Marks]:
        """Give what is above an object, nearest first, its namespace last."""
        return [*self.owners_of(metadata), self.namespaces.get(metadata.namespace, Marks("namespace"))]

    def namespace_of(self, pod: Pod) -> Marks:
        """Give what a pod's namespace says."""
        return self.namespaces.get(pod.metadata.namespace) or Marks(f"namespace {pod.metadata.namespace}")

    def is_below(self, pod: Pod, uid: str) -> bool:
        """Tell whether a pod is an object, or was made by it, directly or not."""
        return uid == pod.metadata.uid or uid in self._chain(controller_of(pod.metadata))

    def owners_of(self, metadata: Metadata) -> list[Marks]:
        """Give what an object's owners say, nearest first."""
        return [self.owners[uid].marks for uid in self._chain(controller_of(metadata))]

    def _chain(self, uid: str) -> Iterator[str]:
        """Give the known objects above one another; nobody keeps references from going round in a circle."""
        for _ in range(DEEPEST):
            found = self.owners.get(uid)
            if found is None:
                return
            yield uid
            uid = found.owner


def is_ours(metadata: Metadata) -> bool:
    """Tell whether a pod belongs to an installation of apisnoop itself."""
    return (metadata.labels or {}).get(PART_OF) == OURS


def controller_of(metadata: Metadata) -> str:
    """Give the UID of what has made an object; empty if nothing has."""
    return next((one.uid for one in metadata.owner_references or () if one.controller), "")


def above_from(kind: str, things: Iterable[Thing]) -> dict[str, Above]:
    """Read what objects of a kind (its name in lower case) say; what a ReplicaSet says counts for nothing.

    A Deployment's annotations are copied to its ReplicaSets and stay there when it has lost them.
    """
    if kind == REPLICA_SET:
        return {one.metadata.uid: Above(Marks(""), controller_of(one.metadata)) for one in things}
    return {
        thing.metadata.uid: Above(read_marks(kind, thing.metadata), controller_of(thing.metadata)) for thing in things
    }


NO_WISHES = Wishes({}, {})
