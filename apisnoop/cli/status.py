"""`apisnoop status`: every node and every pod that is recorded, or should be."""

import time
from pathlib import Path

import click

from apisnoop.cli.namespaces import install_namespace_option, namespace_options
from apisnoop.cli.report import terminal
from apisnoop.reports.paint import Paint


@click.command()
@namespace_options("All namespaces, which is the default.", "Pods of this namespace only.")
@install_namespace_option
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(namespace: str | None, kubeconfig: Path | None, context: str | None, place: str | None, output: str) -> None:
    """Show every node, and every pod that is recorded or should be.

    Each with its state, since when, the calls recorded, what is not seen, and why. Nodes are asked through a
    port-forward to their agents; one that does not answer is shown as such, and says nothing about its pods.
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.cli.installation import look_at  # noqa: PLC0415
    from apisnoop.fleet.status import status_of  # noqa: PLC0415
    from apisnoop.reports.fleet import render_json, render_status  # noqa: PLC0415

    found = status_of(look_at(open_api(kubeconfig, context), namespace or None, place))
    if output == "json":
        click.echo(render_json(found), nl=False)
        return
    width, colour = terminal(None)
    click.echo(render_status(found, time.time(), width, Paint(colour)), nl=False, color=True)
