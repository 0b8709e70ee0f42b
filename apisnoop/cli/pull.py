"""`apisnoop pull`: bring what the nodes have recorded into a store."""

from pathlib import Path

import click

from apisnoop.cli.namespaces import install_namespace_option
from apisnoop.cli.options import db_option, kubeconfig_options
from apisnoop.errors import ExitCode


@click.command()
@db_option
@kubeconfig_options
@install_namespace_option
@click.option(
    "--timeout",
    type=click.FloatRange(1, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long a node may be silent.",
)
def pull(db: Path, kubeconfig: Path | None, context: str | None, place: str | None, timeout: float) -> int:
    """Bring what the nodes have recorded into a store.

    Every node is asked through a port-forward, all at the same time. Pulling again counts nothing twice: what a node
    has by then takes the place of what was pulled from it before. A node that does not answer is missing, not empty:
    reports say so, what was pulled from it earlier stays, and the exit code is 3.

    \b
    kubectl apisnoop pull --db shop.db && kubectl apisnoop coverage --db shop.db --by workload
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli import pulling  # noqa: PLC0415
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.reports.wording import clean, counted  # noqa: PLC0415
    from apisnoop.store.store import Store  # noqa: PLC0415

    api = open_api(kubeconfig, context)
    agents = pulling.agents_to_pull(api, place)
    with Store.open(db) as store:
        outcome = pulling.pull(api, agents, store, patience=timeout)
    for one in sorted(outcome.pulled, key=lambda one: one.node):
        click.echo(f"{clean(one.node)}: {counted(one.calls, 'call')}, {one.new:,} of them new")
    pulling.tell_unanswered(outcome)
    return ExitCode.UNAVAILABLE if outcome.unanswered else ExitCode.OK
