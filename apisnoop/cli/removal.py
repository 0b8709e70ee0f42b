"""Taking an installation apart in the order that leaves pods undisturbed, whatever of it is still there.

Everything is looked for by its labels, so that half an installation goes as a whole one does; Helm is asked to forget a
release that it knows.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from apisnoop.cli.agents import each_agent, find_agents
from apisnoop.cli.already_marked import tell_marked
from apisnoop.cli.cluster_objects import list_objects, read_object
from apisnoop.cli.helm import connection_options, find_helm, run_helm
from apisnoop.cli.home import MANAGED_BY, OURS, drain, remove_namespace
from apisnoop.cli.installation import daemon_sets
from apisnoop.cli.releases import our_revisions
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.fleet.enumeration import some_of
from apisnoop.fleet.facts import SELECTOR, release_of
from apisnoop.fleet.kinds import NAMESPACE, POD
from apisnoop.fleet.objects import BUNDLES, COMPONENT, WEBHOOKS, Pod, Thing
from apisnoop.fleet.remains import BUNDLE, COLLECTIONS, Carriers, carriers, is_removable, object_path
from apisnoop.reports.wording import clean, counted

SLICE = 10.0
"""Seconds after which a watch is begun anew."""
SHOWN = 10
"""Pods that are named."""
HELM_SECONDS = "120s"
NAMESPACE_SECONDS = 60.0
"""For which a namespace's end is awaited, so that an `install` may follow: pods in it have half a minute by default."""


class Removal:
    """One uninstall. Look at `found` and `question`, then `run`."""

    def __init__(self, api: Api, place: str | None, connection: tuple[Path | None, str | None]) -> None:
        """`place` is the namespace it is installed in, if not all are to be looked into. Raises ApisnoopError."""
        self._api, self._connection = api, connection
        everything = self._ours()
        here = [one.metadata for _, one in everything if place in {None, one.metadata.namespace}]
        self._releases = sorted({release_of(one) for one in here})
        self._objects = [found for found in everything if release_of(found[1].metadata) in self._releases]
        bundles = self._find("/api/v1/configmaps", f"{SELECTOR},{COMPONENT}={BUNDLES}")
        self._bundles = [one for one in bundles if not is_removable(one.metadata)]
        """Those of the webhook; the chart's own goes with the chart."""
        self._daemon_sets = daemon_sets(api, place)
        self._carriers = Carriers((), {})
        known = {one.metadata.namespace for collection, one in self._objects if collection.endswith("/secrets")}
        made = list(list_objects(api, NAMESPACE.collection(None), Thing, labelSelector=f"{MANAGED_BY}={OURS}"))
        self._made = {one.metadata.name for one in made if place in {None, one.metadata.name}}
        """Namespaces that `install` has made."""
        self.homes = sorted(known | self._made | {one.metadata.namespace for one in self._daemon_sets})

    @property
    def found(self) -> bool:
        """Tell whether there is anything of apisnoop."""
        return bool(self._objects or self._bundles or self._made)

    @property
    def question(self) -> str:
        """Say what is about to happen."""
        where = f" from {_namespaces(self.homes)}" if self.homes else ""
        return f"Remove apisnoop{where}, with all calls on its nodes that were not pulled?"

    def run(self, seconds: float) -> bool:
        """Take it apart; tell whether every node has let go. Raises ApisnoopError where we have no right to."""
        for _, one in (found for found in self._objects if found[0] == WEBHOOKS):
            self._api.delete(f"{WEBHOOKS}/{one.metadata.name}")
        silent = self._drain(seconds)
        self._forget_releases()
        for collection, one in self._ours():
            if release_of(one.metadata) in self._releases:
                self._delete(collection, one)
        kept = self._remove_bundles()
        found = {home: remove_namespace(self._api, home) for home in self.homes}
        self._tell(silent, kept)
        _tell_occupied({home: foreign for home, foreign in found.items() if foreign})
        again = "recorded again after another install"
        tell_marked(self._api, one=f"stays marked, and is {again}", more=f"stay marked, and are {again}")
        self._conclude([home for home, foreign in found.items() if foreign == []])
        return not silent

    # -- nodes ----------------------------------------------------------------------------------------------------

    def _drain(self, seconds: float) -> list[str]:
        """Have agents let go and end; give the nodes of those that have not by then."""
        for one in self._daemon_sets:
            drain(self._api, one)
        found = [pod for home in self.homes for pod in find_agents(self._api, home)]
        agents = [pod for pod in found if pod.spec.node_name and pod.has_started]  # others have redirected nothing
        if agents:
            whose = "its" if len(agents) == 1 else "their"
            click.echo(f"waiting for {counted(len(agents), 'node')} to let go of {whose} pods", err=True)
        deadline = time.monotonic() + seconds
        ended = each_agent(agents, lambda one: self._await_end(one, deadline))
        return sorted({pod.spec.node_name for pod, gone in ended if not gone})

    def _await_end(self, pod: Pod, deadline: float) -> bool:
        """Tell whether a pod has gone by then, looked at once at least: others may have taken all the time."""
        return self._has_gone(POD.collection(pod.metadata.namespace), pod.metadata.name, pod.metadata.uid, deadline)

    def _has_gone(self, collection: str, name: str, uid: str, deadline: float) -> bool:
        """Tell whether an object has gone by then."""
        while True:
            now = read_object(self._api, f"{collection}/{name}", Thing)
            if now is None or now.metadata.uid != uid:
                return True
            if (left := deadline - time.monotonic()) <= 0:
                return False
            events = self._api.watch(collection, name, min(left, SLICE))
            if any(event == "DELETED" for event, _ in events):
                return True

    # -- objects --------------------------------------------------------------------------------------------------

    def _ours(self) -> list[tuple[str, Thing]]:
        """Find everything that the chart has made and what came of it; bundles are looked at apart."""
        return [
            (collection, one)
            for collection in COLLECTIONS
            for one in self._find(collection, SELECTOR)
            if is_removable(one.metadata)
        ]

    def _find(self, collection: str, selector: str) -> list[Thing]:
        try:
            return list(list_objects(self._api, collection, Thing, labelSelector=selector))
        except RefusedError as error:
            if error.status == 404:  # a kind that this cluster does not have
                return []
            raise

    def _delete(self, collection: str, one: Thing) -> None:
        self._api.delete(object_path(collection, one.metadata.namespace, one.metadata.name))

    def _forget_releases(self) -> None:
        """Have Helm forget what it knows of us; where it is not here, or has failed, its records go without it."""
        for home in self.homes:
            revisions = list(our_revisions(self._api, home))
            for release in sorted({one.release for one in revisions}):
                if find_helm():
                    self._ask_helm(release, home)
            for one in revisions:
                self._api.delete(one.path)

    def _ask_helm(self, release: str, home: str) -> None:
        where = ["--namespace", home, *connection_options(*self._connection)]
        try:
            run_helm(["uninstall", release, *where, "--ignore-not-found", "--timeout", HELM_SECONDS])
        except ApisnoopError as error:
            click.echo(f"apisnoop: {error}; going on without it", err=True)

    def _remove_bundles(self) -> dict[str, tuple[str, ...]]:
        """Remove bundles that no pod mounts; give the others' pods by their namespace."""
        pods = list(list_objects(self._api, POD.collection(None), Pod))
        self._carriers = carriers(pods)
        kept = {}
        for one in self._bundles:
            place = one.metadata.namespace
            if place in self._carriers.bundled:
                kept[place] = self._carriers.bundled[place]
            else:
                self._delete("/api/v1/configmaps", one)
        return kept

    def _remaining(self, homes: Sequence[str], deadline: float) -> list[str]:
        """Give the namespaces that are there still by then; one that cannot be looked at is taken to be."""
        return [home for home in homes if not self._namespace_has_gone(home, deadline)]

    def _namespace_has_gone(self, home: str, deadline: float) -> bool:
        collection = NAMESPACE.collection(None)
        try:
            found = read_object(self._api, f"{collection}/{home}", Thing)
            return found is None or self._has_gone(collection, home, found.metadata.uid, deadline)
        except ApisnoopError:
            return False

    # -- words ----------------------------------------------------------------------------------------------------

    def _conclude(self, homes: list[str]) -> None:
        """Wait a while for the end of the namespaces that were deleted, and say what has gone."""
        if left := self._remaining(homes, time.monotonic()):
            click.echo(f"waiting for {_namespaces(left)} to be deleted", err=True)
            left = self._remaining(left, time.monotonic() + NAMESPACE_SECONDS)
        gone = [home for home in homes if home not in left]
        click.echo("apisnoop is removed" + (f", and {_namespaces(gone)}" if gone else ""))
        for home in left:
            what = f"its pods take their time, see kubectl get pods -n {home}; an install there has to wait for it"
            click.echo(f"apisnoop: namespace {home} is being deleted still: {what}", err=True)

    def _tell(self, silent: list[str], kept: dict[str, tuple[str, ...]]) -> None:
        for node in silent:
            what = "connections are not redirected for longer than its lease; its agent ends when the node is back"
            click.echo(f"apisnoop: node {clean(node)} did not answer: {what}", err=True)
        if waiting := self._carriers.waiting:
            said = (
                f"{counted(len(waiting), 'pod')} {'was' if len(waiting) == 1 else 'were'} made with our init container"
            )
            what = "it would wait for its limit when the node restarts, and goes with the pod"
            click.echo(f"apisnoop: {said}: {what}: {_some(waiting)}", err=True)
        for place, pods in kept.items():
            said = f"ConfigMap {BUNDLE} stays in namespace {place} until these pods have gone: {_some(pods)}"
            click.echo(f"apisnoop: {said}; then: kubectl apisnoop uninstall", err=True)


def _tell_occupied(occupied: dict[str, list[str]]) -> None:
    for home, foreign in occupied.items():
        said = f"namespace {home} stays, since others have something in it: {_some(foreign)}"
        click.echo(f"apisnoop: {said}; when that is gone: kubectl apisnoop uninstall", err=True)


def _namespaces(names: Sequence[str]) -> str:
    return f"namespace{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _some(names: Sequence[str]) -> str:
    return clean(some_of(names, SHOWN))
