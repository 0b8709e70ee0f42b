"""Reports as pages in files, and one Chromium for all the tests that look at them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.provenance import Source
from apisnoop.coverage.report import CoverageReport
from apisnoop.coverage.who import Dimension
from apisnoop.reports.html import render_coverage_html
from tests.coverage.recording import NINE
from tests.reports.conftest import settled
from tests.reports.html.browser import DRIVER, PROGRAM, Browser, started
from tests.reports.html.samples import cluster_recording

type Paged = Callable[[CoverageReport], Path]

SOURCES = (
    Source("import", "audit.log", 7_875, NINE + 5000, NINE + 5001),
    Source("run", "kubectl", 16, NINE + 3700, None, "not finished"),
)


@pytest.fixture(scope="session")
def cluster_report(catalogue) -> CoverageReport:
    """What 24 callers did to a cluster in a day."""
    with cluster_recording(catalogue, 24) as store:
        return settled(coverage_of(store, catalogue, callers=True, now=NINE + 90_000), sources=SOURCES)


@pytest.fixture(scope="session")
def fleet_report(catalogue) -> CoverageReport:
    """What 500 callers did, told apart by namespace: as much as the page promises to be fast with."""
    with cluster_recording(catalogue, 500) as store:
        made = coverage_of(store, catalogue, callers=True, by=Dimension.NAMESPACE, now=NINE + 90_000)
    return settled(made, sources=SOURCES)


@pytest.fixture(scope="session")
def without_callers(cluster_report) -> CoverageReport:
    """A report for which nobody asked who called what."""
    return replace(cluster_report, callers=None)


@pytest.fixture(scope="session")
def paged(tmp_path_factory) -> Paged:
    """Write a report as a page."""

    def write(report: CoverageReport) -> Path:
        page = tmp_path_factory.mktemp("page") / "coverage.html"
        page.write_text(render_coverage_html(report), encoding="utf-8")
        return page

    return write


@pytest.fixture(scope="session")
def cluster_page(paged, cluster_report) -> Path:
    return paged(cluster_report)


@pytest.fixture(scope="session")
def fleet_page(paged, fleet_report) -> Path:
    return paged(fleet_report)


@pytest.fixture(scope="session")
def hostile_page(paged, hostile_report) -> Path:
    return paged(hostile_report)


@pytest.fixture(scope="session")
def empty_page(paged, empty_report) -> Path:
    return paged(empty_report)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    for program in (PROGRAM, DRIVER):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: scripts/setup --cluster installs it")
    with started(tmp_path_factory.mktemp("profile")) as browser:
        yield browser
