"""`apisnoop on`: have pods recorded."""

import time
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apisnoop.cli import candidates
from apisnoop.cli.namespaces import namespace_options
from apisnoop.durations import parse_duration

if TYPE_CHECKING:
    from apisnoop.cli.marks import Chosen, Marking


def seconds_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Turn the value of an option that is a duration into seconds."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("objects", nargs=-1, metavar="[POD | KIND/NAME]...", shell_complete=candidates.markable)
@click.option(
    "-l", "--selector", metavar="LABELS", help="All pods with these labels, or all objects of the KIND named."
)
@click.option(
    "--for", "duration", metavar="DURATION", callback=seconds_of, help="End by itself after 10m, 1h30m, 2d, …"
)
@click.option(
    "--reset",
    is_flag=True,
    help="Break open connections to the API once, so that clients with long-lived ones are seen at once, too.",
)
@namespace_options("With -l: in all namespaces.", "The namespace.  [default: the context's]")
def on(
    objects: tuple[str, ...],
    selector: str | None,
    duration: int | None,
    reset: bool,
    namespace: str | None,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Record the API calls of pods, from now on.

    Annotates the object itself, not its template: nothing restarts. KIND is a pod, deployment, statefulset, daemonset,
    job, cronjob or namespace; what is nearer to a pod decides. Connections that are open already are not seen until
    their clients make new ones.

    \b
    kubectl apisnoop on web-0 --for 10m
    kubectl apisnoop on deploy/web sts/db --reset -n shop
    kubectl apisnoop on ns/shop
    """
    # The kubernetes client takes 0.3 s to import, which --help does without.
    from apisnoop.cli.marks import Marking, each_object, place_of  # noqa: PLC0415

    marking = Marking(kubeconfig, context, namespace)
    chosen = marking.choose(objects, selector)
    until = None if duration is None else time.time() + duration
    each_object(chosen, lambda one: switch(marking, one, until, reset=reset))
    if reset and not marking.records_prepared_pods_only:
        said = "connections to the API that are older than the recording are broken once: their clients connect anew"
        click.echo(f"apisnoop: {said}", err=True)
    marking.warn_without_agents()
    place = place_of(chosen)
    click.echo(f"See how it goes: kubectl apisnoop status{place}; the calls: kubectl apisnoop watch{place}", err=True)


def switch(marking: "Marking", chosen: "Chosen", until: float | None, *, reset: bool) -> None:
    """Ask for one object's pods, and say what follows."""
    from apisnoop.cli.marks import some_pods  # noqa: PLC0415 - see `on`
    from apisnoop.fleet.marking import end_to_come, switch_on  # noqa: PLC0415
    from apisnoop.moments import moment_text  # noqa: PLC0415
    from apisnoop.reports.wording import clean, counted  # noqa: PLC0415

    marking.api.patch(chosen.path, switch_on(chosen.kind, until, reset=reset))
    ends = f" until {moment_text(until)}" if until is not None else ""
    if until is None and (before := end_to_come(chosen.kind, chosen.metadata, time.time())):
        ends = f", no longer ends at {clean(before)}"
    follows = marking.follows(chosen)
    if follows is None:
        click.echo(f"{chosen}: on{ends}")
        return
    which = f": {some_pods(follows.recorded)}" if follows.recorded else ""
    click.echo(f"{chosen}: on{ends}, {counted(len(follows.recorded), 'pod')}{which}")
    for why, pods in groupby(sorted(follows.others, key=itemgetter(1)), itemgetter(1)):
        some = list(pods)
        which = f"pod {clean(some[0][0])}" if len(some) == 1 else f"{counted(len(some), 'pod')} ({some_pods(some)})"
        then = after_refusal(why, some[0][0].partition("/")[0])
        click.echo(f"apisnoop: {which} will not be recorded: {clean(why + then)}", err=True)


def after_refusal(why: str, namespace: str) -> str:
    """Give the command that takes back the no of a nearer object, to be put behind it; nothing for other reasons."""
    no, _, who = why.partition(" on ")
    kind, _, name = who.partition(" ")
    if no != "apisnoop=false" or not name:
        return ""
    place = "" if kind == "namespace" else f" -n {namespace}"
    return f"; to have it recorded: kubectl apisnoop on {kind}/{name}{place}"
