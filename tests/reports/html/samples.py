"""Recordings for the HTML report: a cluster as one meets it, with a given number of callers, and hostile names."""

from random import Random

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import Loss, TallyBatch
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.operation import Level, Operation
from apisnoop.store.store import Store
from tests.coverage.recording import NINE

PROGRAMS = (
    ("kube-system", "deployment/coredns", "coredns", "coredns", "v1.12.1"),
    ("kube-system", "daemonset/kube-proxy", "kube-proxy", "kube-proxy", "v1.36.0"),
    ("argocd", "statefulset/argocd-application-controller", "application-controller", "argocd", "v3.1.4"),
    ("cert-manager", "deployment/cert-manager", "controller", "cert-manager-controller", "v1.18.2"),
    ("monitoring", "statefulset/prometheus-k8s", "prometheus", "prometheus", "3.5.0"),
    ("monitoring", "deployment/kube-state-metrics", "kube-state-metrics", "kube-state-metrics", "v2.17.0"),
    ("ingress-nginx", "deployment/ingress-nginx-controller", "controller", "nginx-ingress-controller", "v1.13.1"),
    ("velero", "deployment/velero", "velero", "velero-server", "v1.16.2"),
    ("shop", "deployment/checkout", "app", "python-kubernetes", "33.1.0"),
    ("shop", "deployment/web", "app", "web", "2.1"),
    ("ci", "job/e2e", "runner", "e2e.test", "v1.36.0"),
    ("ci", "deployment/runner", "runner", "kubectl", "v1.35.2"),
)
"""Namespace, workload, container, client and its version."""
GONE = (
    ("GET", "/apis/batch/v1beta1/cronjobs"),
    ("GET", "/apis/policy/v1beta1/podsecuritypolicies"),
    ("GET", "/api/v1/nosuch"),
)
CUSTOM = ("GET", "/apis/cert-manager.io/v1/certificates")
VALUES = {"namespace": "shop", "name": "web", "path": "x", "logpath": "x"}


def cluster_recording(catalogue: Catalogue, callers: int, per_caller: int = 40) -> Store:
    """Record `callers` callers, each calling some of the usual operations; the same every time."""
    random = Random(20260601)
    usual = _usual(catalogue, random)
    batch = TallyBatch()
    for at in range(callers):
        caller = _caller(at)
        chosen = random.sample(usual, min(len(usual), random.randint(2, per_caller)))
        for operation in chosen:
            _call(batch, catalogue, caller, operation.method, _url(operation), random)
        if at % 7 == 3:
            _call(batch, catalogue, caller, *random.choice(GONE), random, status=404)
        if at % 9 == 4:
            _call(batch, catalogue, caller, *CUSTOM, random)
    batch.lose(Loss("audit log", "bad line"), 3, NINE, "line 17")
    store = Store.open(":memory:")
    store.add(batch, catalogue=catalogue)
    return store


def _usual(catalogue: Catalogue, random: Random) -> list[Operation]:
    """Choose the operations that somebody calls: most of the stable ones, few of the others."""
    chance = {Level.STABLE: 0.42, Level.BETA: 0.12, Level.ALPHA: 0.04}
    operations = sorted(catalogue.operations.values(), key=lambda operation: operation.id)
    return [one for one in operations if random.random() < (0.06 if one.deprecated else chance[one.level])]


def _caller(at: int) -> Caller:
    namespace, workload, container, client, version = PROGRAMS[at % len(PROGRAMS)]
    copy = at // len(PROGRAMS)
    namespace = f"{namespace}-{copy}" if copy else namespace
    account = workload.partition("/")[2]
    return Caller(
        namespace=namespace,
        pod=f"{account}-{at:04x}",
        container=container,
        workload=workload,
        service_account=f"{namespace}/{account}",
        user=f"system:serviceaccount:{namespace}:{account}",
        client=client,
        client_version=version,
    )


def _url(operation: Operation) -> str:
    url = operation.path
    for name, value in VALUES.items():
        url = url.replace(f"{{{name}}}", value)
    return url


def _call(
    batch: TallyBatch, catalogue: Catalogue, caller: Caller, method: str, url: str, random: Random, status: int = 200
) -> None:
    match = catalogue.match(method, url)
    refused = status == 200 and random.random() < 0.06
    for _ in range(min(400, int(random.paretovariate(0.8)))):
        batch.count(match, caller, 403 if refused else status, NINE + random.random() * 86400, 0.01)
