"""The namespace that apisnoop is installed in, and the DaemonSet in it, before and after Helm's part."""

import re
from collections.abc import Callable

import click

from apisnoop.cli.already_marked import tell_marked
from apisnoop.cli.cluster_objects import PROGRAM, read_object
from apisnoop.cli.helm import Order
from apisnoop.cli.installation import daemon_sets
from apisnoop.cli.occupants import occupants
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.fleet.facts import DRAIN, is_draining, release_of
from apisnoop.fleet.kinds import DAEMON_SET
from apisnoop.fleet.objects import DaemonSet, Thing

MANAGED_BY, OURS = "app.kubernetes.io/managed-by", PROGRAM
"""Label of a namespace that we have made, and may remove."""
DEFAULT_RELEASE = "apisnoop"
ENFORCE = "pod-security.kubernetes.io/enforce"
PRIVILEGED = re.compile(r"^ +hostPID: true$", re.MULTILINE)
"""In manifests: what no PodSecurity level but privileged allows, and all modes but init need."""


def demand_one_home(api: Api, namespace: str, release: str) -> DaemonSet | None:
    """Give the DaemonSet if apisnoop is installed already, by the same release in the same namespace.

    Raises ApisnoopError where it is by another one: two would take pods from one another.
    """
    try:
        seen = daemon_sets(api)
    except RefusedError:
        seen = daemon_sets(api, namespace)
    found = [one for one in seen if not one.metadata.deletion_timestamp]
    for one in found:
        there, known = one.metadata.namespace, release_of(one.metadata)
        if (there, known) != (namespace, release):
            options = f"-n {there}" + (f" --release {known}" if known != DEFAULT_RELEASE else "")
            raise ApisnoopError(
                f"apisnoop is installed already in namespace {there} (release {known}): kubectl apisnoop install "
                f"{options} brings it up to date; to have it elsewhere, first: kubectl apisnoop uninstall -n {there}"
            )
    return next(iter(found), None)


def tell_new_records(api: Api, before: DaemonSet) -> None:
    """Say that the node agents are replaced, if they are: what a node has recorded ends with its pod."""
    found = read_object(api, path_of(before), DaemonSet)
    if found is not None and found.metadata.generation != before.metadata.generation:
        said = "the node agents are replaced, so every node begins a new record; a `kubectl apisnoop pull` before it"
        click.echo(f"apisnoop: {said} keeps the old one", err=True)


def put_in(api: Api, order: Order) -> None:
    """Install what is ordered, or bring it up to date, and say what that changes. Raises ApisnoopError."""
    before = demand_one_home(api, order.namespace, order.release)
    prepare_namespace(api, order.namespace, lambda: PRIVILEGED.search(order.render()) is not None)
    order.install()
    take_drain_back(api, order.namespace)
    if before is not None:
        tell_new_records(api, before)
    else:
        already = "to be recorded already, from an earlier time"
        tell_marked(api, one=f"asks {already}", more=f"ask {already}")


def prepare_namespace(api: Api, namespace: str, has_privileges: Callable[[], bool]) -> None:
    """Have a namespace in which the node agents may run. Raises ApisnoopError where they would be refused.

    `has_privileges` finds out whether they ask for what PodSecurity's levels forbid; it takes a moment, and raises
    ApisnoopError for what Helm would not install either.
    """
    path = f"/api/v1/namespaces/{namespace}"
    found = read_object(api, path, Thing)
    if found is None:
        labels = {MANAGED_BY: OURS} | ({ENFORCE: "privileged"} if has_privileges() else {})
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        api.create("/api/v1/namespaces", made)
        return
    if found.metadata.deletion_timestamp:
        raise ApisnoopError(f"namespace {namespace} is being deleted: wait until it has gone, or name another with -n")
    level = (found.metadata.labels or {}).get(ENFORCE, "")
    if level in {"baseline", "restricted"} and has_privileges():
        raise ApisnoopError(
            f"namespace {namespace} enforces PodSecurity {level}, which refuses the node agents: "
            f"kubectl label --overwrite namespace {namespace} {ENFORCE}=privileged, or name another with -n; "
            "--set interception.mode=init makes do without privileges"
        )


def remove_namespace(api: Api, namespace: str) -> list[str] | None:
    """Delete the namespace if we have made it and nothing of others is in it.

    Gives what keeps it, none where it is deleted; None for a namespace that is not ours to remove.
    """
    path = f"/api/v1/namespaces/{namespace}"
    found = read_object(api, path, Thing)
    if found is None or (found.metadata.labels or {}).get(MANAGED_BY) != OURS:
        return None
    if foreign := occupants(api, namespace):
        return foreign
    api.delete(path, found.metadata.uid)
    return []


def path_of(daemon_set: DaemonSet) -> str:
    """Give the path of a DaemonSet."""
    return f"{DAEMON_SET.collection(daemon_set.metadata.namespace)}/{daemon_set.metadata.name}"


def drain(api: Api, daemon_set: DaemonSet) -> None:
    """Have every agent let go of its pods and end; the object stays, so that it is seen who does not."""
    api.patch(path_of(daemon_set), _node_selector("true"))


def take_drain_back(api: Api, namespace: str) -> None:
    """Let agents run again after an uninstall that was not finished: Helm leaves alone what it has not written."""
    try:
        found = daemon_sets(api, namespace)
    except RefusedError as error:
        click.echo(f"apisnoop: {error}", err=True)
        return
    for one in found:
        if is_draining(one):
            api.patch(path_of(one), _node_selector(None))


def _node_selector(value: str | None) -> dict[str, object]:
    return {"spec": {"template": {"spec": {"nodeSelector": {DRAIN: value}}}}}
