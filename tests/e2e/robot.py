"""The one service account that clients run as, with what it may do, and a kubeconfig with its token."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cluster.server import Server

NAME = "robot"
RBAC = "rbac.authorization.k8s.io"
CONTEXT = "shop"


@dataclass(frozen=True, slots=True)
class Robot:
    """A service account in a namespace of its own, which it administrates."""

    namespace: str
    kubeconfig: Path
    token: str = field(repr=False)

    @property
    def user(self) -> str:
        """Its name in the audit log."""
        return f"system:serviceaccount:{self.namespace}:{NAME}"


def create_robot(server: Server, directory: Path) -> Robot:
    """Make a namespace and its service account, and write its kubeconfig into `directory`."""
    namespace = f"shop-{secrets.token_hex(3)}"
    objects = {"apiVersion": "v1", "kind": "List", "items": _objects(namespace)}
    server.kubectl("apply", "--filename=-", stdin=json.dumps(objects))
    token = server.service_account_token(namespace, NAME, duration="4h")
    kubeconfig = directory / f"{namespace}.kubeconfig"
    write_kubeconfig(kubeconfig, namespace, cluster_fields(server), {"token": token})
    return Robot(namespace, kubeconfig, token)


def remove_robot(server: Server, robot: Robot) -> None:
    """Delete the namespace with all that is in it, and what the service account may do outside of it."""
    reader = _reader(robot.namespace)
    server.kubectl("delete", f"namespace/{robot.namespace}", f"clusterrole/{reader}", "--wait=false")
    server.kubectl("delete", f"clusterrolebinding/{reader}")


def cluster_fields(server: Server) -> dict[str, Any]:
    """Give the part of a kubeconfig that says where a server is and how it is known to be the right one."""
    return {"server": server.apiserver_url, "certificate-authority": str(server.ca_file)}


def write_kubeconfig(path: Path, namespace: str, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """Write a kubeconfig with one context."""
    context = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": dict(cluster)}],
        "users": [{"name": CONTEXT, "user": dict(user)}],
        "contexts": [{"name": CONTEXT, "context": context}],
        "current-context": CONTEXT,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def _reader(namespace: str) -> str:
    return f"e2e-reader-{namespace}"


def _objects(namespace: str) -> list[dict[str, Any]]:
    """Render the namespace, the account, and its rights: all of its namespace, and to look at what is around it."""
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    reader = _reader(namespace)
    look = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": look},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": look},
    ]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": namespace}},
        _binding("RoleBinding", {"name": NAME, "namespace": namespace}, "admin", subject),
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": reader}, "rules": rules},
        _binding("ClusterRoleBinding", {"name": reader}, reader, subject),
    ]


def _binding(kind: str, metadata: dict[str, str], role: str, subject: dict[str, str]) -> dict[str, Any]:
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": reference,
        "subjects": [subject],
    }
