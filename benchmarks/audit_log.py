"""An audit log as a busy cluster writes it: pods with bound tokens, components, kubelets, and always new object names.

Lines have some 850 bytes on average, at level Metadata, with the stage RequestReceived left out, as is usual.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class Client(NamedTuple):
    """A caller, as the user and userAgent of its events."""

    namespace: str
    user: str
    agent: str


_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
_WATCH = "allowWatchBookmarks=true&resourceVersion={n}&timeout=8m7s&timeoutSeconds=487&watch=true"
# (weight, verb, status, resource, group as objectRef has it, URI)
_MIX = [
    (30, "get", 200, "pods", "", "/api/v1/namespaces/{ns}/pods/{name}"),
    (18, "update", 200, "leases", "coordination.k8s.io", f"{_LEASES}/{{fixed}}?timeout=5s"),
    (9, "watch", 200, "configmaps", "", f"/api/v1/configmaps?{_WATCH}"),
    (9, "patch", 200, "pods", "", "/api/v1/namespaces/{ns}/pods/{name}/status"),
    (9, "list", 200, "deployments", "apps", "/apis/apps/v1/namespaces/{ns}/deployments?limit=500"),
    (6, "create", 201, "events", "", "/api/v1/namespaces/{ns}/events"),
    (6, "create", 201, "subjectaccessreviews", "authorization.k8s.io", f"{_REVIEWS}?timeout=10s"),
    (5, "delete", 200, "pods", "", "/api/v1/namespaces/{ns}/pods/{name}"),
    (5, "get", 404, "replicasets", "apps", "/apis/apps/v1/namespaces/{ns}/replicasets/{name}"),
    (3, "get", 200, "", "", "/healthz?timeout=32s"),
]

_COMPONENTS = [
    ("system:kube-controller-manager", "kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/aecb14a"),
    ("system:kube-scheduler", "kube-scheduler/v1.36.3 (linux/amd64) kubernetes/aecb14a/scheduler"),
    *((f"system:node:node-{n}", "kubelet/v1.36.3 (linux/amd64) kubernetes/aecb14a") for n in range(20)),
]
_AGENTS = [
    "web/v2.1.0 (linux/amd64) kubernetes/$Format",
    "manager/v0.4.1 (linux/amd64) kubernetes/8d1f2aa/leader-election",
]


def write_log(path: Path, lines: int, seed: int = 1) -> float:
    """Write a log of so many lines; return the bytes of a line on average."""
    with path.open("w") as file:
        file.writelines(log_lines(lines, seed))
    return path.stat().st_size / lines


def log_lines(count: int, seed: int) -> Iterator[str]:
    """Make the lines of a log, every one different."""
    chance = random.Random(seed)
    clients = [*_pods(chance), *_components()]
    kinds = chance.choices(_MIX, weights=[weight for weight, *_ in _MIX], k=count)
    moment = START
    for number, (_, verb, status, resource, group, uri) in enumerate(kinds):
        client = chance.choice(clients)
        moment += timedelta(microseconds=chance.randrange(8000))
        name = f"web-{''.join(chance.choices(LETTERS, k=10))}"
        path = uri.format(ns=client.namespace, name=name, fixed=f"lock-{number % 30}", n=number)
        finished = moment + timedelta(microseconds=chance.randrange(1500, 60_000))
        named = f',"name":"{name}"' if "{name}" in uri else ""
        target = (
            f'"objectRef":{{"resource":"{resource}","namespace":"{client.namespace}"{named},'
            f'"apiGroup":"{group}","apiVersion":"v1"}},'
        )
        yield (
            '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata",'
            f'"auditID":"{_uuid(chance)}","stage":"ResponseComplete","requestURI":"{path}","verb":"{verb}",'
            f'"user":{client.user},"sourceIPs":["10.244.{number % 7}.{number % 251}"],"userAgent":"{client.agent}",'
            f'{target if resource else ""}"responseStatus":{{"metadata":{{}},"code":{status}}},'
            f'"requestReceivedTimestamp":"{_time(moment)}","stageTimestamp":"{_time(finished)}",'
            '"annotations":{"authorization.k8s.io/decision":"allow"}}\n'
        )


def _pods(chance: random.Random) -> Iterator[Client]:
    for number in range(60):
        namespace, agent = f"team-{number % 20}", _AGENTS[number % 2]
        for replica in range(4):
            account = f"system:serviceaccount:{namespace}:app-{number}"
            claims = (
                f'"authentication.kubernetes.io/credential-id":["JTI={_uuid(chance)}"],'
                f'"authentication.kubernetes.io/pod-name":["app-{number}-{replica}-x2x4p"],'
                f'"authentication.kubernetes.io/pod-uid":["{_uuid(chance)}"]'
            )
            groups = '"system:serviceaccounts","system:authenticated"'
            user = f'{{"username":"{account}","uid":"{_uuid(chance)}","groups":[{groups}],"extra":{{{claims}}}}}'
            yield Client(namespace, user, agent)


def _components() -> Iterator[Client]:
    for _ in range(12):  # they make a good part of a cluster's calls
        for name, agent in _COMPONENTS:
            yield Client("kube-system", f'{{"username":"{name}","groups":["system:authenticated"]}}', agent)


def _uuid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _time(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds')[:26]}Z"
