"""Which callers have the labels that a selector asks for: each pod is looked up once, when its first call comes."""

from dataclasses import replace

from apisnoop.calls.call_line import CallerPart
from apisnoop.cli.cluster_objects import list_objects
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.call_filter import CallFilter
from apisnoop.fleet.kinds import POD
from apisnoop.fleet.objects import Thing

MOST = 50_000
"""Pods remembered; then all are looked up again."""


def label_filter(api: Api, wanted: CallFilter, selector: str) -> CallFilter:
    """Narrow a filter to pods with labels. Raises ApisnoopError for a selector that the API server does not take."""
    known = {
        one.metadata.uid: True
        for one in list_objects(api, POD.collection(wanted.namespace or None), Thing, labelSelector=selector)
    }

    def selected(caller: CallerPart) -> bool:
        if not caller.pod_uid:
            return False
        if caller.pod_uid not in known:
            if len(known) >= MOST:
                known.clear()
            known[caller.pod_uid] = _has_labels(api, caller, selector)
        return known[caller.pod_uid]

    return replace(wanted, selected=selected)


def _has_labels(api: Api, caller: CallerPart, selector: str) -> bool:
    query = {"labelSelector": selector, "fieldSelector": f"metadata.name={caller.pod}"}
    try:
        found = list(list_objects(api, POD.collection(caller.namespace), Thing, **query))
    except ApisnoopError:
        return False  # the streams tell that the API server is out of reach
    return any(one.metadata.uid == caller.pod_uid for one in found)
