"""What to do next: commands that can be pasted as they are, and only such as have something to show."""

import shlex
from collections.abc import Iterator

from apisnoop.coverage.report import CoverageReport
from apisnoop.coverage.sources import CLUSTER_NAME, IN_MEMORY_NAME
from apisnoop.coverage.who import Dimension
from apisnoop.reports.wording import clean

DEFAULT_STORE = "apisnoop.db"
OF_NODES = " --cluster"
PREFERRED = (
    Dimension.WORKLOAD,
    Dimension.SERVICE_ACCOUNT,
    Dimension.CLIENT,
    Dimension.NAMESPACE,
    Dimension.TEST,
)
"""What is worth looking at first; pods and containers are details of a workload."""


def render_next(report: CoverageReport, db: str | None) -> list[str]:
    """Render the commands that lead on, one a line. `db` is the store they are for; None: the report's own."""
    store = option_for(report.provenance.store if db is None else db)
    head, space = "next: ", "      "
    return [f"{space if at else head}apisnoop {command}" for at, command in enumerate(_commands(report, store))]


def option_for(store: str) -> str:
    """Give the option that names a store, or the nodes, with a space before it; empty for the default and for none."""
    if store in {DEFAULT_STORE, IN_MEMORY_NAME}:
        return ""
    if store.startswith(CLUSTER_NAME):
        return OF_NODES
    return f" --db {shlex.quote(clean(store))}"


def _commands(report: CoverageReport, store: str) -> Iterator[str]:
    if report.provenance.is_empty and store == OF_NODES:
        yield "status"
        yield "on deploy/NAME"
        return
    if report.provenance.is_empty:
        yield f"import{store} AUDIT_LOG"
        yield f"run{store} -- CMD"
        return
    known = [dimension for dimension in PREFERRED if dimension in report.dimensions]
    if report.by is None and known:
        others = f"    (or {', '.join(known[1:])})" if known[1:] else ""
        yield f"coverage{store} --by {known[0]}{others}"
    yield f"gaps{store}"
    if Dimension.SERVICE_ACCOUNT in report.dimensions:
        yield f"rbac{store}"
    yield f"coverage{store} -o html --output-file coverage.html"
