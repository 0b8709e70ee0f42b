"""`apisnoop install`: install or update apisnoop in a cluster, with Helm."""

from pathlib import Path

import click

from apisnoop.cli.options import kubeconfig_options
from apisnoop.errors import ExitCode


@click.command()
@click.option("-n", "--namespace", metavar="NAME", default="apisnoop", show_default=True, help="Where to install.")
@click.option("--release", metavar="NAME", default="apisnoop", show_default=True, help="The Helm release.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="A value of the chart; may be given again.")
@click.option("-f", "--values", "files", metavar="FILE", multiple=True, help="A file with values; may be given again.")
@click.option("--chart", metavar="FOLDER", type=click.Path(path_type=Path), help="Another chart than the one inside.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until every node records.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    metavar="SECONDS",
    default=300,
    show_default=True,
    help="For how long.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be installed, and do nothing.")
@kubeconfig_options
def install(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    namespace: str,
    release: str,
    settings: tuple[str, ...],
    files: tuple[str, ...],
    chart: Path | None,
    wait: bool,
    timeout: float,
    dry_run: bool,
    kubeconfig: Path | None,
    context: str | None,
) -> int:
    """Install apisnoop in a cluster, or bring it up to date.

    Runs Helm with the chart that comes with this program; its values and what they mean are in charts/apisnoop. Nothing
    is recorded but what asks for it; objects that ask from an earlier time are named. Values of an earlier install are
    kept unless they are given anew.

    \b
    kubectl apisnoop install --set webhook.enabled=false
    kubectl apisnoop install --dry-run | less
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli import helm  # noqa: PLC0415
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.cli.home import put_in  # noqa: PLC0415
    from apisnoop.cli.readiness import wait_until_ready  # noqa: PLC0415

    values = (*(f"--set={one}" for one in settings), *(f"--values={one}" for one in files))
    connection = tuple(helm.connection_options(kubeconfig, context))
    order = helm.Order(release, namespace, chart or helm.find_chart(), values, connection)
    helm.demand_helm()
    api = open_api(kubeconfig, context)
    if dry_run:
        order.show(str(api.get("/version").get("gitVersion", "")))
        return ExitCode.OK
    put_in(api, order)
    if not wait:
        click.echo(f"apisnoop is being installed in namespace {namespace}; see kubectl apisnoop status")
        return ExitCode.OK
    return wait_until_ready(api, namespace, timeout)
