"""An API server of a few objects, for what a verb does with them; the server's own rules are tested on a real one."""

import json
from typing import Any

from apisnoop.errors import RefusedError

VERBS = ["list", "get", "delete"]


class FakeApi:
    """Stands in for apisnoop.cluster_api.Api: reads, creates, deletes, and remembers what was deleted."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = {path_of(one): one for one in objects}
        self.deleted: list[str] = []
        self.refused: set[str] = set()
        """Paths that nobody may read."""

    def read(self, path: str, *_accept: str, **query: str) -> bytes:
        """Give an object, a list of them, or what can be discovered."""
        if path in self.refused:
            raise RefusedError(f"read {path}", 403, "forbidden")
        if path in DISCOVERED:
            return json.dumps(DISCOVERED[path]).encode()
        if path in self.objects:
            return json.dumps(self.objects[path]).encode()
        if path.rpartition("/")[2] not in {plural for plural, _, _ in KINDS.values()}:
            raise RefusedError(f"read {path}", 404, "not found")
        found = [one for one in self.objects.values() if path in collections_of(one) and _selected(one, query)]
        return json.dumps({"items": found}).encode()

    def create(self, path: str, thing: dict[str, Any]) -> None:
        """Keep an object."""
        self.objects[f"{path}/{thing['metadata']['name']}"] = thing

    def delete(self, path: str, *_uid: str) -> None:
        """Forget an object."""
        if self.objects.pop(path, None) is not None:
            self.deleted.append(path)


KINDS = {
    "Namespace": ("namespaces", "/api/v1", False),
    "Secret": ("secrets", "/api/v1", True),
    "ConfigMap": ("configmaps", "/api/v1", True),
    "ServiceAccount": ("serviceaccounts", "/api/v1", True),
    "Node": ("nodes", "/api/v1", False),
    "Pod": ("pods", "/api/v1", True),
    "Event": ("events", "/api/v1", True),
    "ReplicaSet": ("replicasets", "/apis/apps/v1", True),
    "Deployment": ("deployments", "/apis/apps/v1", True),
    "DaemonSet": ("daemonsets", "/apis/apps/v1", True),
    "StatefulSet": ("statefulsets", "/apis/apps/v1", True),
    "Job": ("jobs", "/apis/batch/v1", True),
    "CronJob": ("cronjobs", "/apis/batch/v1", True),
    "Widget": ("widgets", "/apis/example.org/v1", True),
}
"""By kind: its plural, where it is served, and whether it is in namespaces."""


def _discovered() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, (plural, base, namespaced) in KINDS.items():
        one = {"name": plural, "kind": kind, "namespaced": namespaced, "verbs": VERBS}
        found.setdefault(base, {"resources": []})["resources"].append(one)
    versions = [base.removeprefix("/apis/") for base in found if base.startswith("/apis/")]
    return {**found, "/apis": {"groups": [{"versions": [{"groupVersion": one}]} for one in versions]}}


DISCOVERED = _discovered()


def made(kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """Make an object; `more` is of its metadata, but for `data`."""
    data = more.pop("data", None)
    metadata = {"name": name, "uid": name, **({"namespace": namespace} if namespace else {}), **more}
    return {"kind": kind, "metadata": metadata, **({"data": data} if data else {})}


def collections_of(one: dict[str, Any]) -> tuple[str, str]:
    """Give the paths of the collections that an object is in: of its namespace, and of all."""
    plural, base, _ = KINDS[one["kind"]]
    place = one["metadata"].get("namespace")
    return f"{base}/namespaces/{place}/{plural}" if place else f"{base}/{plural}", f"{base}/{plural}"


def path_of(one: dict[str, Any]) -> str:
    """Give an object's path."""
    return f"{collections_of(one)[0]}/{one['metadata']['name']}"


def _selected(one: dict[str, Any], query: dict[str, str]) -> bool:
    labels = one["metadata"].get("labels") or {}
    wanted = [part.split("=") for part in query.get("labelSelector", "").split(",") if part]
    name = query.get("fieldSelector", "").removeprefix("metadata.name=")
    return name in {"", one["metadata"]["name"]} and all(labels.get(key) == value for key, value in wanted)
