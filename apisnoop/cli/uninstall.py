"""`apisnoop uninstall`: take apisnoop out of a cluster, and leave nothing behind."""

from pathlib import Path

import click

from apisnoop.cli.consent import has_consent
from apisnoop.cli.options import kubeconfig_options
from apisnoop.errors import ExitCode


@click.command()
@click.option("-n", "--namespace", "place", metavar="NAME", help="Where it is.  [default: looked for everywhere]")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    default=90,
    show_default=True,
    help="How long nodes may take to let go of their pods.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@kubeconfig_options
def uninstall(place: str | None, timeout: float, yes: bool, kubeconfig: Path | None, context: str | None) -> int:
    """Take apisnoop out of a cluster.

    New pods are not changed any more, then every node lets go of its pods, then all the rest is removed, also what an
    install that failed, or a Helm that did not finish, has left. Pods go on. What the nodes have recorded goes, too:
    pull it before. Nodes that did not answer are named, and the exit code is then 1; run it again when they are back.
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.cli.removal import Removal  # noqa: PLC0415

    removal = Removal(open_api(kubeconfig, context), place, connection=(kubeconfig, context))
    if not removal.found:
        click.echo("There is nothing of apisnoop" + (f" in namespace {place}" if place else " in this cluster"))
        return ExitCode.OK
    if not yes and not has_consent(removal.question, otherwise="nothing was removed", deed="remove it unasked"):
        return ExitCode.INTERRUPTED
    return ExitCode.OK if removal.run(timeout) else ExitCode.FINDINGS
