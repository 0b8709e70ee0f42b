"""`apisnoop rbac`: the least roles that allow what was recorded, as manifests."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from apisnoop.cli.calls_source import Calls, reading, source_options
from apisnoop.cli.options import kubeconfig_options, window_options
from apisnoop.cli.report import output_options, write_report
from apisnoop.coverage.access import AccessReport, access_of
from apisnoop.errors import ApisnoopError, UsageError
from apisnoop.reports.rbac import render_yaml
from apisnoop.reports.wording import clean
from apisnoop.store.window import Window

MOST = 8
"""Names in a message."""
WITHOUT_ACCOUNTS = "only users made calls, no service account"


@click.command()
@source_options
@kubeconfig_options
@window_options
@click.option(
    "--service-account",
    "accounts",
    metavar="NAMESPACE/NAME",
    multiple=True,
    help="Only this service account; may be given again.",
)
@click.option("--users", is_flag=True, help="Write roles for users that are no service accounts, too.")
@click.option("--resource-names", is_flag=True, help="Allow only the objects that were named, where all are known.")
@click.option("--defaults", is_flag=True, help="Also write what Kubernetes' default roles allow to everybody.")
@output_options(("yaml",))
def rbac(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    db: Calls,
    kubeconfig: Path | None,  # noqa: ARG001 - of --cluster, as `source_options` reads them
    context: str | None,  # noqa: ARG001
    window: Window,
    accounts: tuple[str, ...],
    users: bool,
    resource_names: bool,
    defaults: bool,
    output: str,  # noqa: ARG001 - one format so far, named as everywhere
    output_file: Path | None,
) -> None:
    """Write the least roles that allow what was recorded.

    One Role or ClusterRole per service account and namespace, with its binding. Calls that the server refused are not
    allowed. Nothing is applied; look at it, then: apisnoop rbac | kubectl apply -f -
    """
    for account in accounts:
        if account.count("/") != 1 or not all(account.split("/")):
            raise UsageError(f"--service-account {account}: write NAMESPACE/NAME, e.g. shop/web")
    with reading(db) as store:
        report = access_of(
            store, window=window, only=accounts, users=users, resource_names=resource_names, defaults=defaults
        )
    demand_calls_of(accounts, report)
    # On a terminal the text itself says so, in its first line.
    if not report.subjects and report.left_out and not is_looked_at(output_file):
        click.echo(f"apisnoop: {WITHOUT_ACCOUNTS}: {some(report.left_out)}; to write their roles add --users", err=True)
    write_report(render_yaml(report), output_file)


def demand_calls_of(accounts: Sequence[str], report: AccessReport) -> None:
    """Refuse to write less than was asked for. Raises ApisnoopError naming the accounts that were not seen."""
    unseen = [account for account in accounts if account not in report.seen]
    if not unseen:
        return
    origin = report.provenance
    is_whole = origin.since is None and origin.until is None
    where = f"{'store' if is_whole else 'this window of'} {clean(origin.store)}"
    if report.seen:
        others = f"service accounts that made calls: {some(report.seen)}"
    elif report.left_out:
        others = f"{WITHOUT_ACCOUNTS}: {some(report.left_out)}; for their roles give --users instead"
    else:
        others = "nobody made any"
    raise ApisnoopError(f"no call of --service-account {', '.join(unseen)} is in {where}; {others}")


def is_looked_at(place: Path | None) -> bool:
    """Tell whether a person reads the text itself, and not only the messages beside it."""
    return place is None and sys.stdout.isatty()


def some(names: Sequence[str]) -> str:
    """List the first few names, made harmless for a terminal, and say how many more there are."""
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return ", ".join(map(clean, names[:MOST])) + more
