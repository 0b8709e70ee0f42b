"""The reports that every renderer is shown."""

from dataclasses import replace

import pytest

from apisnoop.calls.recording import NOT_SEEN, Recording, Standing
from apisnoop.calls.tally import Loss, TallyBatch
from apisnoop.coverage.access import AccessReport
from apisnoop.coverage.comparison import ComparisonReport, compare
from apisnoop.coverage.gaps import GapsReport, gaps_of
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.provenance import CatalogueUsed, Provenance, Source
from apisnoop.coverage.report import CoverageReport
from apisnoop.coverage.tested import EndpointTests
from apisnoop.coverage.who import Dimension
from apisnoop.operations.source import load_catalogue
from apisnoop.store.pull import note_standings, note_unanswered
from apisnoop.store.recordings import save_recordings
from tests.coverage.recording import ALICE, NINE, SHOP, Called, recorded

HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\x1b[31m|`=cmd()\x00\"'&]]>"
"""A name no honest client has: it tries HTML, terminals, Markdown tables, spreadsheets and XML."""


@pytest.fixture(scope="session")
def report(catalogue) -> CoverageReport:
    """Who called what in a small shop, told apart by workload."""
    with recorded(catalogue=catalogue, losses=[Loss("audit log", "bad line")]) as store:
        made = coverage_of(store, catalogue, by=Dimension.WORKLOAD, callers=True, now=NINE + 7200)
    sources = (
        Source("import", "audit.log", 980, NINE + 5000, NINE + 5001),
        Source("run", "kubectl", 16, NINE + 3700, None, "not finished"),
    )
    return settled(made, sources=sources)


@pytest.fixture(scope="session")
def cluster_recording(catalogue) -> CoverageReport:
    """Two pods of a node: one was lost for half a minute and in the end, and has connections nobody could read."""
    losses = [Loss("audit log", "bad line"), Loss("shop/web-1 container app", f"{NOT_SEEN}client-certificate")]
    stretches = (
        Recording("node-1", "shop", "web-1", "u1", NINE, NINE + 60, "the node agent was lost"),
        Recording("node-1", "shop", "web-1", "u1", NINE + 90, NINE + 180, "the proxy was stopped"),
        Recording("node-1", "shop", "web-2", "u2", NINE, NINE + 3600),
    )
    with recorded(catalogue=catalogue, losses=losses) as store:
        store.add(one_more(losses[1]))
        with store.transaction():
            save_recordings(store.connection, stretches)
        return settled(coverage_of(store, catalogue, callers=True, now=NINE + 7200))


def one_more(loss: Loss) -> TallyBatch:
    """One more of a loss, which makes four."""
    batch = TallyBatch()
    batch.lose(loss, at=NINE)
    return batch


@pytest.fixture(scope="session")
def empty_report(catalogue) -> CoverageReport:
    """A store into which nothing was ever recorded."""
    with recorded([], catalogue=catalogue) as store:
        return settled(coverage_of(store, catalogue, callers=True, now=NINE))


@pytest.fixture(scope="session")
def hostile_report(catalogue) -> CoverageReport:
    """Every name that a caller can choose is hostile."""
    agent = type(ALICE)(
        namespace=HOSTILE, workload=HOSTILE, container=HOSTILE, user=HOSTILE, client=HOSTILE, test=HOSTILE
    )
    calls = [Called(agent, "GET", "/api/v1/pods"), Called(agent, "GET", "/api/v1/" + HOSTILE, 404)]
    losses = [Loss(HOSTILE, HOSTILE, HOSTILE), Loss(HOSTILE, f"{NOT_SEEN}{HOSTILE}")]
    stretch = Recording(HOSTILE, HOSTILE, HOSTILE, HOSTILE, NINE, NINE + 1, HOSTILE)
    with recorded(calls, catalogue=catalogue, losses=losses) as store:
        with store.transaction():
            save_recordings(store.connection, [stretch])
        note_unanswered(store, node=HOSTILE, reason=HOSTILE, at=NINE)
        note_standings(store, node=HOSTILE, pods=[Standing(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1)], at=NINE)
        made = coverage_of(store, catalogue, by=Dimension.WORKLOAD, callers=True, now=NINE)
    return settled(made, sources=(Source("run", HOSTILE, 1, NINE, NINE, HOSTILE),))


@pytest.fixture(scope="session")
def gaps(catalogue) -> GapsReport:
    """What the shop uses, with tests for pods and nothing else."""
    tests = {"readCoreV1NamespacedPod": {"one", "two"}, "readCoreV1NamespacedPodLog": {"one"}}
    layer = EndpointTests("endpoints.json", {operation: frozenset(names) for operation, names in tests.items()})
    with recorded(catalogue=catalogue) as store:
        return settled(gaps_of(store, catalogue, layer, now=NINE))


@pytest.fixture(scope="session")
def difference(catalogue) -> ComparisonReport:
    """The shop on an older release and now, judged by the newer one."""
    older = load_catalogue("1.30")
    gone = Called(ALICE, "GET", "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas")
    with recorded([*SHOP, gone], catalogue=older) as before, recorded(SHOP[:9], catalogue=catalogue) as after:
        made = compare(before, after, judge=catalogue, now=NINE)
    return replace(made, before=settled_origin(made.before, "1.30"), after=settled_origin(made.after, "1.36"))


def settled[Report: (CoverageReport, GapsReport, AccessReport)](report: Report, **changes: object) -> Report:
    """Take out what differs from one version of the tool to the next, so that golden files stay."""
    return replace(report, provenance=replace(settled_origin(report.provenance, "1.36"), **changes))


def settled_origin(provenance: Provenance, release: str) -> Provenance:
    """Take the digest and the version out of where a report comes from."""
    used = CatalogueUsed(release, f"Kubernetes {release}, shipped with apisnoop", "0123456789ab")
    return replace(provenance, catalogue=used, recorded_with=(used,), store="apisnoop.db", tool="apisnoop")
