"""Speed of the match: requests a second on one core, verb and detail included, every path a new one.

The mix is that of a busy cluster: leases and node status, informers' lists and watches, controllers' reads and writes,
reviews, discovery, a few proxies, custom resources that the catalogue does not know, and probes.
"""

import gc
import random
import statistics
import time
from collections.abc import Callable

from apisnoop.operations.source import load_catalogue
from benchmarks.row import Row

REQUESTS = 240_000
ROUNDS = 7

# (weight, method, URL with {n} for names, content type)
_MIX: list[tuple[int, str, str, str]] = [
    (10, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-{n}?timeout=10s", ""),
    (6, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/controller-{n}", ""),
    (6, "GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/controller-{n}?timeout=5s", ""),
    (12, "GET", "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}", ""),
    (5, "GET", "/api/v1/namespaces/shop-{n}/configmaps/settings-{n}", ""),
    (4, "GET", "/api/v1/namespaces/shop-{n}/secrets/token-{n}", ""),
    (4, "GET", "/apis/apps/v1/namespaces/shop-{n}/deployments/web-{n}", ""),
    (3, "GET", "/api/v1/namespaces/shop-{n}", ""),
    (4, "GET", "/api/v1/nodes/node-{n}?resourceVersion=0&timeout=10s", ""),
    (3, "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/role-{n}", ""),
    (5, "GET", "/api/v1/namespaces/shop-{n}/pods?labelSelector=app%3Dweb&limit=500", ""),
    (3, "GET", "/apis/discovery.k8s.io/v1/namespaces/shop-{n}/endpointslices?limit=500&resourceVersion=0", ""),
    (3, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-{n}&limit=500&resourceVersion=0", ""),
    (
        5,
        "GET",
        "/apis/apps/v1/replicasets?allowWatchBookmarks=true&resourceVersion={n}&timeout=5m3s&timeoutSeconds=303&watch=true",
        "",
    ),
    (
        4,
        "GET",
        "/api/v1/namespaces/shop-{n}/services?allowWatchBookmarks=true&resourceVersion={n}&timeout=7m&timeoutSeconds=420&watch=true",
        "",
    ),
    (
        3,
        "GET",
        "/api/v1/namespaces/shop-{n}/configmaps?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dkube-root-ca.crt&resourceVersion={n}&timeout=6m&timeoutSeconds=360&watch=true",
        "",
    ),
    (4, "PATCH", "/api/v1/nodes/node-{n}/status?timeout=10s", "application/strategic-merge-patch+json"),
    (3, "PATCH", "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}/status", "application/strategic-merge-patch+json"),
    (
        2,
        "PATCH",
        "/apis/apps/v1/namespaces/shop-{n}/deployments/web-{n}?fieldManager=helm&force=true",
        "application/apply-patch+yaml",
    ),
    (2, "PATCH", "/api/v1/namespaces/shop-{n}/events/web.{n}", "application/strategic-merge-patch+json"),
    (3, "POST", "/api/v1/namespaces/shop-{n}/events", ""),
    (2, "POST", "/api/v1/namespaces/shop-{n}/pods?dryRun=All&fieldManager=kubectl-create", ""),
    (2, "POST", "/api/v1/namespaces/shop-{n}/serviceaccounts/default-{n}/token", ""),
    (1, "POST", "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}/binding", ""),
    (
        1,
        "POST",
        "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}/exec?command=sh&container=app&stdin=true&tty=true",
        "",
    ),
    (2, "PUT", "/apis/apps/v1/namespaces/shop-{n}/replicasets/web-{n}/status", ""),
    (2, "DELETE", "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}", ""),
    (1, "GET", "/api/v1/namespaces/shop-{n}/services/http:web:80/proxy/static/{n}/app.js?v=3", ""),
    (1, "GET", "/api/v1/namespaces/shop-{n}/pods/web-7f9c6d5b8-{n}/log?container=app&follow=true", ""),
    (2, "GET", "/apis/cert-manager.io/v1/namespaces/shop-{n}/certificates/tls-{n}", ""),
    (1, "GET", "/api/v1/namespaces/shop-{n}/configmaps/caf%C3%A9-{n}", ""),
    (3, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews?timeout={n}s", ""),
    (1, "GET", "/apis?timeout={n}s", ""),
    (1, "GET", "/healthz?verbose={n}", ""),
]


def requests(count: int = REQUESTS, seed: int = 1) -> list[tuple[str, str, str]]:
    """Make that many different requests, as (method, URL, content type)."""
    chance = random.Random(seed)
    kinds = chance.choices(_MIX, weights=[weight for weight, *_ in _MIX], k=count)
    made = [(method, url.replace("{n}", f"{number:x}"), kind) for number, (_, method, url, kind) in enumerate(kinds)]
    assert len({url for _, url, _ in made}) == count
    return made


def run() -> list[Row]:
    """Measure catalogues that have matched nothing before, in rounds of different URLs; the median counts."""
    rates = [_rate(load_catalogue("1.34").match, requests(seed=seed)) for seed in range(ROUNDS)]
    note = f"{REQUESTS:,} different URLs, {ROUNDS} rounds: {min(rates):,.0f} to {max(rates):,.0f}"
    return [Row("match, one core", statistics.median(rates), "requests/s", must=500_000, aim=800_000, note=note)]


def _rate(match: Callable[[str, str, str], object], made: list[tuple[str, str, str]]) -> float:
    """Requests in a second of processor time: one thread, so a second of one core, whatever else the machine does."""
    gc.collect()
    started = time.process_time()
    for method, url, content_type in made:
        match(method, url, content_type)
    return len(made) / (time.process_time() - started)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name}: {row.value:,.0f} {row.unit} ({row.note})")
