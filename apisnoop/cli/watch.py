"""`apisnoop watch`: calls as they are made."""

from pathlib import Path

import click

from apisnoop.cli import candidates
from apisnoop.cli.namespaces import install_namespace_option, namespace_options
from apisnoop.fleet.verbs import OTHER_VERBS, VERBS

VERBS_HELP = f"Only these verbs: {', '.join(VERBS)}; of requests that are about no object: {', '.join(OTHER_VERBS)}."


@click.command()
@click.argument("objects", nargs=-1, metavar="[POD | KIND/NAME]...", shell_complete=candidates.markable)
@click.option("-l", "--selector", metavar="LABELS", help="Only pods with these labels.")
@click.option("-c", "--container", "containers", metavar="NAME", multiple=True, help="Only this container.")
@click.option("--verb", "verbs", metavar="VERB,...", multiple=True, help=VERBS_HELP)
@click.option(
    "--resource", "resources", metavar="NAME,...", multiple=True, help="Only these: pods, pods/log, leases, …"
)
@click.option("--status", "statuses", metavar="CODE,...", multiple=True, help="Only these: 404, 4xx, 400-403, none.")
@namespace_options("All namespaces, which is the default.", "Only pods of this namespace.")
@install_namespace_option
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def watch(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    objects: tuple[str, ...],
    selector: str | None,
    containers: tuple[str, ...],
    verbs: tuple[str, ...],
    resources: tuple[str, ...],
    statuses: tuple[str, ...],
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
    place: str | None,
    output: str,
) -> None:
    """Show the calls of recorded pods as they are made.

    From all nodes, until Ctrl-C; a call is shown when it has ended, a watch not before that. A stream that breaks off
    is opened again, and what was missed meanwhile is said on standard error; it is in the record all the same.

    \b
    kubectl apisnoop watch -n shop
    kubectl apisnoop watch deploy/web --verb create,patch,delete --status 4xx
    kubectl apisnoop watch -o json | jq -r .path
    """
    from apisnoop.fleet.call_filter import CallFilter, parse_statuses, parse_verbs, parse_words  # noqa: PLC0415 - for --help
    from apisnoop.fleet.kinds import parse_references  # noqa: PLC0415

    wanted = CallFilter(
        objects=tuple(parse_references(objects)),
        namespace=namespace or "",
        containers=frozenset(containers),
        verbs=parse_verbs(verbs),
        resources=parse_words(resources),
        statuses=parse_statuses(statuses),
    )
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.cluster_objects import open_api  # noqa: PLC0415
    from apisnoop.cli.live_calls import show_calls  # noqa: PLC0415

    show_calls(open_api(kubeconfig, context), wanted, selector, place, as_json=output == "json")
