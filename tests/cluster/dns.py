"""CoreDNS as a Deployment behind the Service `kube-dns`, as every cluster has it.

It knows the names of this cluster only: there is no way out of it, so names of the internet are refused.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from .images import COREDNS_IMAGE
from .node_config import CLUSTER_DOMAIN
from .slot import DNS_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMESPACE = "kube-system"
_LABELS = {"k8s-app": "kube-dns"}

_COREFILE = textwrap.dedent(
    """\
    .:53 {
        errors
        health {
            lameduck 1s
        }
        ready
        kubernetes %s in-addr.arpa ip6.arpa {
            pods insecure
            ttl 5
        }
        cache 5
    }
    """
)


def objects() -> dict[str, Any]:
    """Return everything CoreDNS needs, as one List."""
    items = [_service_account(), _role(), _role_binding(), _configuration(), _service(), _deployment()]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def is_ready(deployments: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether CoreDNS answers, from the deployments of its namespace."""
    return any(
        deployment["metadata"]["name"] == "coredns" and deployment["status"].get("readyReplicas", 0) > 0
        for deployment in deployments
    )


def _object(version: str, kind: str, name: str = "coredns", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": _LABELS}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _service_account() -> dict[str, Any]:
    return _object("v1", "ServiceAccount")


def _role() -> dict[str, Any]:
    read = ["list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": read},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
    ]
    return _object("rbac.authorization.k8s.io/v1", "ClusterRole", rules=rules)


def _role_binding() -> dict[str, Any]:
    return _object(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"},
        subjects=[{"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}],
    )


def _configuration() -> dict[str, Any]:
    return _object("v1", "ConfigMap", data={"Corefile": _COREFILE % CLUSTER_DOMAIN})


def _service() -> dict[str, Any]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return _object(
        "v1", "Service", "kube-dns", spec={"clusterIP": str(DNS_SERVICE), "selector": _LABELS, "ports": ports}
    )


def _deployment() -> dict[str, Any]:
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "containers": [_container()],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    return _object("apps/v1", "Deployment", spec={"selector": {"matchLabels": _LABELS}, "template": template})


def _container() -> dict[str, Any]:
    return {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/coredns", "-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 5},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
    }
