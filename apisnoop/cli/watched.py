"""Whether there is anything of what a watch was asked for: an object that is not there will never call.

What is there and not recorded may be so later: then it is said, and the watch goes on.
"""

from collections.abc import Sequence

import click

from apisnoop.cli.agents import PATIENCE, each_agent
from apisnoop.cli.cluster_objects import list_objects, read_object, read_owners, refuse
from apisnoop.cli.marks import no_such_object
from apisnoop.cli.pulling import pods_of
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.fleet.kinds import NAMESPACE, POD, Reference
from apisnoop.fleet.objects import Pod, Thing
from apisnoop.fleet.wishes import Wishes
from apisnoop.node.status import INTERCEPTING, AgentPod
from apisnoop.reports.wording import clean, counted


class Watched:
    """The pods that a watch is about, as the command line names them."""

    def __init__(self, api: Api, namespace: str, objects: Sequence[Reference], selector: str | None) -> None:
        """`namespace` is empty for all of them."""
        self._api, self._namespace, self._objects, self._selector = api, namespace, objects, selector
        self._found: list[Thing] = []
        self._is_blind = False

    def demand(self) -> None:
        """Look everything up. Raises ApisnoopError for what is not there; what may not be read is taken for granted."""
        if self._namespace:
            self._look_up(Reference(NAMESPACE, self._namespace))
        self._found = [found for one in self._objects for found in self._look_up(one)]

    def _look_up(self, one: Reference) -> list[Thing]:
        """Find an object, or all of its name where no namespace is given."""
        collection = one.kind.collection(self._namespace or None)
        try:
            if self._namespace or one.kind is NAMESPACE:
                single = read_object(self._api, f"{collection}/{one.name}", Thing)
                found = [single] if single else []
            else:
                found = list(list_objects(self._api, collection, Thing, fieldSelector=f"metadata.name={one.name}"))
        except RefusedError as error:
            click.echo(f"apisnoop: left out whether {one} is there: {error}", err=True)
            self._is_blind = True
            return []
        if not found:
            raise no_such_object(one.kind, one.name, self._namespace)
        return found

    def unrecorded(self, agents: Sequence[Pod]) -> str:
        """Say that no pod that is meant is recorded now, and why; empty if one is, or that cannot be told."""
        try:
            uids = self._uids()
        except ApisnoopError:
            return ""
        told = [
            pod
            for _, pods in each_agent(agents, lambda agent: pods_of(self._api, agent, PATIENCE))
            for pod in pods
            if self._is_meant(pod, uids)
        ]
        if self._is_blind or any(pod.state == INTERCEPTING for pod in told):
            return ""
        return f"no recorded pod matches yet{_why(told)}; waiting for one"

    def _is_meant(self, pod: AgentPod, uids: frozenset[str] | None) -> bool:
        return self._namespace in {"", pod.namespace} and (uids is None or pod.uid in uids)

    def _uids(self) -> frozenset[str] | None:
        """Give the pods that objects and labels leave; None for all."""
        if not self._objects and self._selector is None:
            return None
        place = self._namespace or None
        query = {} if self._selector is None else {"labelSelector": self._selector}
        pods = list(list_objects(self._api, POD.collection(place), Pod, **query))
        if not self._objects:
            return frozenset(pod.metadata.uid for pod in pods)
        wishes = Wishes(read_owners(self._api, place, refuse), {})
        above = {one.metadata.uid for one in self._found}
        names = {one.name for one in self._objects if one.kind is NAMESPACE}
        return frozenset(
            pod.metadata.uid
            for pod in pods
            if pod.metadata.namespace in names or any(wishes.is_below(pod, uid) for uid in above)
        )


def _why(told: Sequence[AgentPod]) -> str:
    """Say how it stands with the first of the pods; of the others, how many there are."""
    if not told:  # because nobody asks for it, or a node does not answer
        return ": see kubectl apisnoop status"
    first = told[0]
    more = f", and {counted(len(told) - 1, 'other')} not either" if len(told) > 1 else ""
    return f": pod {clean(first.namespace)}/{clean(first.name)} is {clean(first.state)}: {clean(first.why)}{more}"
