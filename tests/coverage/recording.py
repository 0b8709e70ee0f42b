"""A recording in a few lines: who called what and how it was answered, as a store in memory."""

from collections.abc import Iterable
from typing import NamedTuple

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import Loss, TallyBatch
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.store import Store

NINE = 1_780_304_400.0
"""2026-06-01 09:00:00 UTC, when all recordings begin."""

WEB = Caller(
    node="node-1",
    namespace="shop",
    pod="web-7d4b9-x2x4p",
    pod_uid="6f1c",
    container="app",
    workload="deployment/web",
    service_account="shop/web",
    user="system:serviceaccount:shop:web",
    client="web",
    client_version="2.1",
)
ALICE = Caller(user="alice", client="kubectl", client_version="v1.36.0")
SUITE = Caller(user="admin", client="e2e.test", client_version="v1.36.0", test="[sig-apps] Deployment should run")
NOBODY = Caller()


class Called(NamedTuple):
    """Some calls alike; `after` is seconds after NINE."""

    caller: Caller
    method: str
    url: str
    status: int = 200
    times: int = 1
    after: float = 0.0
    content_type: str = ""


SHOP = (
    Called(WEB, "GET", "/api/v1/namespaces/shop/pods?watch=1", 200, 3, 60),
    Called(WEB, "GET", "/api/v1/namespaces/shop/pods", 200, 12, 61),
    Called(WEB, "GET", "/api/v1/namespaces/shop/configmaps/settings", 200, 40, 62),
    Called(WEB, "GET", "/api/v1/namespaces/shop/secrets/token", 403, 2, 63),
    Called(WEB, "PUT", "/apis/coordination.k8s.io/v1/namespaces/shop/leases/web", 200, 900, 64),
    Called(WEB, "GET", "/api/v1/watch/namespaces/shop/endpoints", 200, 5, 65),
    Called(WEB, "GET", "/apis/example.com/v1/namespaces/shop/widgets", 200, 4, 66),
    Called(ALICE, "GET", "/api/v1/namespaces/shop/pods/web-1", 200, 2, 3700),
    Called(ALICE, "GET", "/api/v1/namespaces/shop/pods/web-1/log", 200, 1, 3701),
    Called(
        ALICE, "PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", 201, 1, 3702, "application/apply-patch+yaml"
    ),
    Called(ALICE, "GET", "/apis/batch/v1beta1/cronjobs", 404, 1, 3703),
    Called(ALICE, "GET", "/api/v1/nosuch", 404, 1, 3704),
    Called(ALICE, "GET", "/apis/resource.k8s.io/v1beta1/deviceclasses", 200, 1, 3705),
    Called(ALICE, "GET", "/apis/resource.k8s.io/v1beta1", 200, 1, 3705),
    Called(ALICE, "GET", "/livez", 200, 7, 3706),
    Called(SUITE, "GET", "/api/v1/namespaces/shop/pods", 200, 1, 3707),
)
"""A bit of everything: a workload, a person, a test suite; good and bad answers; all classes of finding but alpha."""


def recorded(
    calls: Iterable[Called] = SHOP, *, catalogue: Catalogue, losses: Iterable[Loss] = (), path: str = ":memory:"
) -> Store:
    """Make a store that holds these calls, matched against a catalogue."""
    batch = TallyBatch()
    for call in calls:
        match = catalogue.match(call.method, call.url, call.content_type)
        for again in range(call.times):
            batch.count(match, call.caller, call.status, NINE + call.after + again / 1000, 0.01)
    for loss in losses:
        batch.lose(loss, 3, NINE, "line 17")
    store = Store.open(path)
    store.add(batch, catalogue=catalogue)
    return store
