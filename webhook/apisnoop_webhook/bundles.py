"""Own-CA mode: a ConfigMap with the cluster's authorities and ours in each namespace that has pods to record.

kube-controller-manager would overwrite changes to its own ConfigMap, hence one beside it. It has to be there before the
kubelet mounts it, or the pod hangs: so it is created while the namespace's first such pod is admitted, and not before.
"""

import logging
from collections.abc import Mapping
from typing import Any

from apisnoop.errors import RefusedError
from apisnoop.node.wanted import PART_OF
from apisnoop.trust_bundle import merge_authorities
from apisnoop_webhook.cluster import Cluster, Json, namespaced
from apisnoop_webhook.judgement import OURS
from apisnoop_webhook.trust import CLUSTER_BUNDLE

_KEY = "ca.crt"
_LABELS = {PART_OF: OURS, "app.kubernetes.io/name": OURS, "app.kubernetes.io/component": "bundle"}
_TOLD = {
    "kubernetes.io/description": (
        "The cluster's certificate authorities and that of apisnoop, for pods whose calls apisnoop records. "
        "`kubectl apisnoop uninstall` removes it when the last such pod has gone."
    )
}

_log = logging.getLogger(__name__)


class Bundles:
    """Keeps the ConfigMaps; called from several threads."""

    def __init__(self, cluster: Cluster, name: str, home: str) -> None:
        self._cluster = cluster
        self._name = name
        self._home = home
        """Namespace whose copy of the cluster's authorities is taken; they are the same in all."""
        self._text = ""

    def set_authority(self, authority: str) -> None:
        """Say what our own authorities are (PEM), before anything else; the cluster's are read beside them.

        Raises ApisnoopError if either cannot be read or is no certificate.
        """
        cluster = self._cluster.get(namespaced("configmaps", self._home, CLUSTER_BUNDLE))
        self._text = merge_authorities((cluster.get("data") or {}).get(_KEY, ""), authority)

    def ensure(self, namespace: str) -> None:
        """Have the namespace hold the bundle. Nothing is remembered: a namespace may be deleted and made anew.

        Raises ApisnoopError if it cannot be written.
        """
        try:
            found = self._cluster.get(namespaced("configmaps", namespace, self._name))
        except RefusedError as error:
            if error.status != 404:
                raise
            self._create(namespace)
        else:
            self._correct(namespace, found)

    def tend(self) -> None:
        """Bring every bundle up to date. The leader's work.

        None is taken away: a pod that mounts it may be on its way. `kubectl apisnoop uninstall` does that.
        """
        found = self._cluster.get("/api/v1/configmaps", fieldSelector=f"metadata.name={self._name}")["items"]
        for bundle in found:
            self._correct(bundle["metadata"]["namespace"], bundle)

    def _create(self, namespace: str) -> None:
        try:
            self._cluster.create(namespaced("configmaps", namespace), self._wanted(namespace))
        except RefusedError as error:
            if error.status != 409:  # the other replica was quicker
                raise
        else:
            _log.info("%s: created ConfigMap %s", namespace, self._name)

    def _correct(self, namespace: str, found: Mapping[str, Any]) -> None:
        wanted, there = self._wanted(namespace), found["metadata"]
        if found.get("data") == wanted["data"] and (there.get("labels") or {}).get(PART_OF) == OURS:
            return
        # One is the chart's, and what Helm has noted there has to stay.
        marks = {part: (there.get(part) or {}) | wanted["metadata"][part] for part in ("labels", "annotations")}
        wanted["metadata"] = there | marks
        self._cluster.replace(namespaced("configmaps", namespace, self._name), wanted)
        _log.info("%s: corrected ConfigMap %s", namespace, self._name)

    def _wanted(self, namespace: str) -> Json:
        metadata = {"name": self._name, "namespace": namespace, "labels": _LABELS, "annotations": _TOLD}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_KEY: self._text}}
