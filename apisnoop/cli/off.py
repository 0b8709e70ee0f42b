"""`apisnoop off`: have pods recorded no more."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apisnoop.cli import candidates
from apisnoop.cli.namespaces import namespace_options

if TYPE_CHECKING:
    from apisnoop.cli.marks import Chosen, Marking


@click.command()
@click.argument("objects", nargs=-1, metavar="[POD | KIND/NAME]...", shell_complete=candidates.markable)
@click.option(
    "-l", "--selector", metavar="LABELS", help="All pods with these labels, or all objects of the KIND named."
)
@namespace_options("With -l: in all namespaces.", "The namespace.  [default: the context's]")
def off(
    objects: tuple[str, ...],
    selector: str | None,
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Record pods no more.

    Takes back what `on` wrote. Where an owner or the namespace goes on asking, the object is marked apisnoop=false,
    which is nearer and decides. New connections go to the API directly at once; open ones are carried on, unrecorded,
    until they end.

    \b
    kubectl apisnoop off deploy/web -n shop
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.marks import Marking, each_object  # noqa: PLC0415

    marking = Marking(kubeconfig, context, namespace)
    each_object(marking.choose(objects, selector), lambda one: switch(marking, one))


def switch(marking: "Marking", chosen: "Chosen") -> None:
    """Ask for one object's pods no more, and say what follows."""
    from apisnoop.cli.marks import some_pods  # noqa: PLC0415 - see `off`
    from apisnoop.fleet.kinds import NAMESPACE  # noqa: PLC0415
    from apisnoop.fleet.marking import switch_off  # noqa: PLC0415
    from apisnoop.reports.wording import clean, counted  # noqa: PLC0415

    above = [] if chosen.kind is NAMESPACE else marking.wishes(chosen).above(chosen.metadata)
    change = switch_off(chosen.metadata, above, time.time())
    if change.patch is None:
        click.echo(f"{chosen}: off already")
    else:
        marking.api.patch(chosen.path, change.patch)
        because = f" (apisnoop=false, since {clean(change.said_by)} asks for it)" if change.said_by else ""
        click.echo(f"{chosen}: off{because}")
    follows = marking.follows(chosen)
    if follows and follows.recorded:
        why = clean(follows.recorded[0][1])
        number = counted(len(follows.recorded), "pod")
        click.echo(f"apisnoop: {number} of {chosen} go on ({why}): {some_pods(follows.recorded)}", err=True)
