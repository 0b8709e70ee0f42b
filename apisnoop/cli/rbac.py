"""`apisnoop rbac`: the least roles that allow what was recorded, as manifests."""

from pathlib import Path

import click

from apisnoop.cli.options import db_option, window_options
from apisnoop.cli.report import output_options, reading, write_report
from apisnoop.coverage.access import access_of
from apisnoop.errors import UsageError
from apisnoop.reports.rbac import render_yaml
from apisnoop.store.window import Window


@click.command()
@db_option
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
    db: Path,
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
    write_report(render_yaml(report), output_file)
