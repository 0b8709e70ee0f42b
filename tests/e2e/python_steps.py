"""The part of the workload that scripts do: the official Python client, with a watch open beside it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config, watch
from kubernetes.dynamic import DynamicClient

from e2e.patience import PATIENCE

LABEL = "made-by=python"
MEDIA_TYPES = ("application/strategic-merge-patch+json", "application/merge-patch+json", "application/json-patch+json")


@dataclass(slots=True)
class Watcher:
    """A watch on config maps in a thread of its own, until each was seen to be deleted."""

    namespace: str
    expected: int
    events: int = 0
    failure: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def start(self, version: str) -> None:
        """Watch from a resource version on."""
        self.thread = threading.Thread(target=self._run, args=(version,), daemon=True)
        self.thread.start()

    def finish(self) -> int:
        """Wait for the last deletion and return how many events there were; raise what went wrong."""
        self.thread.join(PATIENCE)
        if self.failure:
            raise self.failure
        if self.thread.is_alive():
            raise TimeoutError(f"the watch of the Python client saw only {self.events} events")
        return self.events

    def _run(self, version: str) -> None:
        deleted = 0
        stream = watch.Watch()
        maps = client.CoreV1Api(client.ApiClient()).list_namespaced_config_map
        try:
            for event in stream.stream(maps, self.namespace, label_selector=LABEL, resource_version=version):
                self.events += 1
                deleted += event["type"] == "DELETED"
                if deleted == self.expected:
                    return
        except Exception as error:  # shown by `finish`, in the thread that counts
            self.failure = error


def run_python(namespace: str, lives: int) -> int:
    """Let `lives` config maps be made, read, changed in every way, and deleted; return the number of calls."""
    config.load_kube_config()
    api: Any = client.CoreV1Api()
    watcher = Watcher(namespace, lives)
    listed = api.list_namespaced_config_map(namespace, label_selector=LABEL)
    watcher.start(listed.metadata.resource_version)
    calls = 2 + sum(_live(api, namespace, f"python-{number}") for number in range(lives))
    watcher.finish()
    api.delete_collection_namespaced_config_map(namespace, label_selector=LABEL)
    return calls + 1 + _look_around(namespace) + _apply(namespace)


def _live(api: Any, namespace: str, name: str) -> int:
    labels = dict([LABEL.split("=")])
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data={"key": "1"})
    api.create_namespaced_config_map(namespace, body)
    found = api.read_namespaced_config_map(name, namespace)
    found.data["key"] = "2"
    api.replace_namespaced_config_map(name, namespace, found)
    patches: list[Any] = [{"data": {"a": "1"}}, {"data": {"b": "1"}}, [{"op": "add", "path": "/data/c", "value": "1"}]]
    for media_type, patch in zip(MEDIA_TYPES, patches, strict=True):
        api.patch_namespaced_config_map(name, namespace, patch, _content_type=media_type)
    api.list_namespaced_config_map(namespace, field_selector=f"metadata.name={name}")
    api.delete_namespaced_config_map(name, namespace)
    return 8


def _look_around(namespace: str) -> int:
    """Ask what the server is, and list a few kinds in pages."""
    client.VersionApi().get_code()
    client.ApisApi().get_api_versions()
    client.CoreV1Api().list_namespace(limit=1)
    client.AppsV1Api().list_namespaced_deployment(namespace)
    client.BatchV1Api().list_namespaced_job(namespace)
    client.NetworkingV1Api().list_namespaced_ingress(namespace)
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}}
    client.AuthorizationV1Api().create_self_subject_access_review(review)
    return 7


def _apply(namespace: str) -> int:
    """Apply on the server through the dynamic client, which also reads the server's discovery."""
    maps = DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    maps.server_side_apply(body=body, namespace=namespace, field_manager="e2e")
    maps.delete(name="applied", namespace=namespace)
    return 2
