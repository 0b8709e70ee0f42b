"""What `on` and `off` share: which objects are meant, writing to them, and saying what follows."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apisnoop.cli.agents import find_agents
from apisnoop.cli.cluster_objects import list_objects, open_api, read_namespaces, read_object, read_owners
from apisnoop.cli.installation import home_of
from apisnoop.cli.namespaces import current_namespace
from apisnoop.errors import ApisnoopError, RefusedError, UsageError
from apisnoop.fleet.consequences import Consequences, consequences
from apisnoop.fleet.enumeration import some_of
from apisnoop.fleet.facts import is_init_mode
from apisnoop.fleet.kinds import NAMESPACE, POD, Kind, kind_of, parse_references
from apisnoop.fleet.objects import ConfigMap, Pod, Thing
from apisnoop.fleet.own_authority import has_signed
from apisnoop.fleet.wishes import Wishes
from apisnoop.node.wanted import Metadata
from apisnoop.reports.wording import clean, counted

if TYPE_CHECKING:
    from apisnoop.cluster_api import Api


@dataclass(frozen=True, slots=True)
class Chosen:
    """An object to be marked."""

    kind: Kind
    metadata: Metadata

    @property
    def path(self) -> str:
        """Where it is in the API."""
        return f"{self.kind.collection(self.metadata.namespace)}/{self.metadata.name}"

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.metadata.name}"


class Marking:
    """The objects that the command line names, in one cluster; raises ApisnoopError if one of them is not there."""

    def __init__(self, kubeconfig: Path | None, context: str | None, namespace: str | None) -> None:
        """`namespace` as `namespace_options` give it."""
        self.api: Api = open_api(kubeconfig, context)
        self.namespace = current_namespace(kubeconfig, context) if namespace == "" else namespace
        self._wishes: dict[str, Wishes] = {}
        self._blind: set[str] = set()
        """Namespaces in which it cannot be seen what makes pods."""
        self._left_out: set[str] = set()

    def choose(self, words: Sequence[str], selector: str | None) -> list[Chosen]:
        """Find the objects; none is changed before all are found."""
        if selector is not None:
            return self._select(words, selector)
        if not words:
            raise UsageError("name what to record: a pod, KIND/NAME such as deploy/web or ns/shop, or -l SELECTOR")
        if self.namespace is None:
            raise UsageError("-A takes a selector: add -l, or name the namespace with -n")
        return [self._find(one.kind, one.name) for one in parse_references(words)]

    def _select(self, words: Sequence[str], selector: str) -> list[Chosen]:
        if len(words) > 1 or (words and kind_of(words[0]) is None):
            raise UsageError("-l takes at most a kind beside it: pods, deployments, …")
        kind = (kind_of(words[0]) if words else None) or POD
        found = [
            Chosen(kind, one.metadata)
            for one in list_objects(self.api, kind.collection(self.namespace), Thing, labelSelector=selector)
        ]
        if not found:
            self._demand_namespace()
            where = (
                ""
                if kind is NAMESPACE
                else f" in {f'namespace {self.namespace}' if self.namespace else 'any namespace'}"
            )
            raise ApisnoopError(
                f"no {kind.name} with -l {selector}{where}; see kubectl get {kind.aliases[0]} --show-labels"
            )
        return found

    def _find(self, kind: Kind, name: str) -> Chosen:
        found = read_object(self.api, f"{kind.collection(self.namespace)}/{name}", Thing)
        if found is None:
            if kind is not NAMESPACE:
                self._demand_namespace()
            raise no_such_object(kind, name, self.namespace)
        return Chosen(kind, found.metadata)

    def _demand_namespace(self) -> None:
        """Raise ApisnoopError if it is the namespace that is not there; one that may not be read is taken to be."""
        with suppress(RefusedError):
            if (
                self.namespace
                and read_object(self.api, f"{NAMESPACE.collection(None)}/{self.namespace}", Thing) is None
            ):
                raise no_such_object(NAMESPACE, self.namespace, None)

    def wishes(self, chosen: Chosen, *, again: bool = False) -> Wishes:
        """Give what can ask for the pods of an object's namespace; `again`: as it is now."""
        namespace = namespace_of(chosen)
        if again or namespace not in self._wishes:
            self._wishes[namespace] = self._read_wishes(namespace)
        return self._wishes[namespace]

    def _read_wishes(self, namespace: str) -> Wishes:
        """Read what can ask, as far as that may be read: no mark is left on an object for want of another right."""

        def blind(error: RefusedError) -> None:
            self._blind.add(namespace)
            self._leave_out("what asks for pods above them", error)

        def unknown(error: RefusedError) -> None:
            self._leave_out(f"whether namespace {namespace} asks for its pods", error)

        return Wishes(read_owners(self.api, namespace, blind), read_namespaces(self.api, namespace, unknown))

    def _leave_out(self, what: str, error: RefusedError) -> None:
        """Say once on stderr what is left out, and which right is missing."""
        said = f"apisnoop: left out {what}: {error}"
        if said not in self._left_out:
            self._left_out.add(said)
            click.echo(said, err=True)

    def follows(self, chosen: Chosen) -> Consequences | None:
        """Find out what follows for pods from how things stand; None, which is said, where that may not be read."""
        namespace = namespace_of(chosen)
        try:
            pods = list(list_objects(self.api, POD.collection(namespace), Pod))
        except RefusedError as error:
            self._leave_out(f"what follows for the pods of {chosen}", error)
            return None
        wishes = self.wishes(chosen, again=True)
        if namespace in self._blind and chosen.kind not in {POD, NAMESPACE}:
            return None  # which pods are its own cannot be told
        prepared, own = self.records_prepared_pods_only, self._own_authority
        return consequences(
            chosen.kind, chosen.metadata, pods, wishes, time.time(), only_prepared=prepared, own_authority=own
        )

    @cached_property
    def _agents(self) -> list[Pod]:
        """The node agents' pods; none where they may not be seen, which `warn_without_agents` says."""
        with suppress(RefusedError):
            return find_agents(self.api)
        return []

    @cached_property
    def records_prepared_pods_only(self) -> bool:
        """Whether the node agents run in mode init, as far as that can be seen."""
        return any(is_init_mode(pod) for pod in self._agents)

    @cached_property
    def _own_authority(self) -> bool:
        """Whether our own authority has signed the proxy's certificate, as far as that can be seen."""
        for one in self._agents[:1]:
            made_by = next((owner.name for owner in one.metadata.owner_references or () if owner.controller), "")
            home = home_of(one.metadata.namespace, made_by)
            with suppress(RefusedError):
                return has_signed(read_object(self.api, home.verdict.path, ConfigMap))
        return False

    def warn_without_agents(self) -> None:
        """Say on stderr if nobody is there to record, or that this cannot be told."""
        try:
            agents = find_agents(self.api)
        except RefusedError as error:
            self._leave_out("whether node agents are installed", error)
            return
        if not agents:
            click.echo(
                "apisnoop: no node agent is installed, so nothing is recorded yet: kubectl apisnoop install", err=True
            )


def no_such_object(kind: Kind, name: str, namespace: str | None) -> ApisnoopError:
    """Say that an object is not there, and what lists those that are; no namespace stands for all."""
    if kind is NAMESPACE:
        where = flag = ""
    else:
        where, flag = (f" in namespace {namespace}", f" -n {namespace}") if namespace else (" in any namespace", " -A")
    return ApisnoopError(f"no {kind.name} {name}{where}; see kubectl get {kind.aliases[0]}{flag}")


def namespace_of(chosen: Chosen) -> str:
    """Give the namespace whose pods an object is about."""
    return chosen.metadata.name if chosen.kind is NAMESPACE else chosen.metadata.namespace


def place_of(chosen: Sequence[Chosen]) -> str:
    """Give the option for the namespace that the pods of all objects are in; nothing if they are in several."""
    namespaces = {namespace_of(one) for one in chosen}
    return f" -n {namespaces.pop()}" if len(namespaces) == 1 else ""


def each_object(chosen: Sequence[Chosen], act: Callable[[Chosen], None]) -> None:
    """Act on one object after another; a failure names those that were dealt with before."""
    for number, one in enumerate(chosen):
        try:
            act(one)
        except ApisnoopError as error:
            done = f" ({counted(number, 'object')} before it: done)" if number else ""
            raise ApisnoopError(f"{one}: {error}{done}") from None


def some_pods(pods: Sequence[tuple[str, str]]) -> str:
    """Name the first few pods, and say how many more there are."""
    return clean(some_of([name.rpartition("/")[2] for name, _ in pods]))
