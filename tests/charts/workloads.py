"""Programs that ask the API from their first moment on, in every kind of object that makes pods."""

import json

REQUESTS = 3
"""That a program makes before it rests."""
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_ASK = "kubectl get --raw /api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt >/dev/null"
MARK = {"annotations": {"apisnoop": "true"}}


def reader(namespace):
    """Let the namespace's service account read its ConfigMaps."""
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": role,
        "subjects": [subject],
    }


def once(namespace):
    """Make a pod's spec: some requests, and rest."""
    return _spec("; ".join([_ASK.format(namespace=namespace)] * REQUESTS) + "; exec sleep infinity")


def steadily(namespace):
    """Make a pod's spec: a request on a new connection five times a second."""
    return _spec(f"while true; do {_ASK.format(namespace=namespace)}; sleep 0.2; done")


def to_the_end(namespace):
    """Make a pod's spec: some requests, and no more."""
    spec = _spec("; ".join([_ASK.format(namespace=namespace)] * REQUESTS))
    return {**spec, "restartPolicy": "Never"}


def _spec(program):
    container = {
        "name": "app",
        "image": "local/kubectl:1",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", program],
        "securityContext": _RESTRICTED,
    }
    return {"containers": [container], "terminationGracePeriodSeconds": 0}


def pod(name, spec, **metadata):
    """Make a bare pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def deployment(name, spec, **metadata):
    """Make a Deployment of one pod; `metadata` is that of the pod's template."""
    return _controller("apps/v1", "Deployment", name, spec, metadata)


def every_kind(namespace):
    """Make one of each kind whose pods want to be recorded, by the name of its pods."""
    spec = once(namespace)
    job = {"template": {"metadata": MARK, "spec": to_the_end(namespace)}}
    return {
        "deployed": deployment("deployed", spec, **MARK),
        "stateful": _controller("apps/v1", "StatefulSet", "stateful", spec, MARK, serviceName="stateful"),
        "daemon": _controller("apps/v1", "DaemonSet", "daemon", spec, MARK),
        "batch": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "batch"}, "spec": job},
        "bare": pod("bare", spec, **MARK),
    }


def listed(*things):
    """Put objects into one List, as `kubectl apply` takes them."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)})


def _controller(version, kind, name, spec, metadata, **more):
    labels = {"app": name}
    template = {"metadata": {**metadata, "labels": labels}, "spec": spec}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **more},
    }
