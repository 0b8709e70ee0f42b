"""`apisnoop clear`: empty a store, or forget what is old."""

from pathlib import Path

import click

from apisnoop.cli.consent import has_consent
from apisnoop.cli.options import db_option, moment
from apisnoop.errors import ExitCode, UsageError
from apisnoop.reports.wording import counted
from apisnoop.store.clear import clear as clear_store
from apisnoop.store.clear import give_back
from apisnoop.store.retention import roll_up
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR


@click.command()
@db_option
@click.option(
    "--before",
    metavar="TIME",
    callback=moment,
    help="Forget only what is older: 2026-06-01T10:00:00Z, 2026-06-01 (0:00 UTC) or 2h, 7d (ago), in whole hours.",
)
@click.option(
    "--pods",
    is_flag=True,
    help="Forget only which pod made the calls before that time: they count for its workload.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(db: Path, before: float | None, pods: bool, yes: bool) -> int:
    """Delete the calls in a store, all of them or the old ones.

    Without --before the store is as new: what was imported into it can be imported again. With it, imports are
    remembered, so that old calls do not come back. With --before and --pods no call is deleted: those of a workload's
    pods become one, and the store gets smaller.
    """
    hour = None if before is None else int(before // HOUR)
    if pods and hour is None:
        raise UsageError("--pods forgets which pods made old calls: say how old with --before, e.g. --before 30d")
    with Store.open(db, create=False) as store:
        what = "everything in it" if hour is None else f"{'the names of pods in ' * pods}all calls before that hour"
        if not yes and not has_consent(
            f"{db}: delete {what}?", otherwise=f"{db}: nothing was deleted", deed=f"delete {what}"
        ):
            return ExitCode.INTERRUPTED
        done = (
            _forget_pods(store, hour)
            if pods and hour is not None
            else f"{counted(clear_store(store, hour), 'call')} deleted"
        )
    click.echo(f"{db}: {done}")
    return ExitCode.OK


def _forget_pods(store: Store, hour: int) -> str:
    """Count old calls for the workloads of their pods, and say what came of it."""
    rolled = roll_up(store, hour)
    give_back(store)
    tallies = f"{rolled.tallies_before:,} tallies are {rolled.tallies_after:,} now"
    return f"{counted(rolled.pods, 'pod')} {'counts' if rolled.pods == 1 else 'count'} for their workload, {tallies}"
